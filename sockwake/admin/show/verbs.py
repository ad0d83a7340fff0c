"""The verbs that show instances."""

import json
import os
import sys
from argparse import Namespace

from sockwake.admin import colour, operands
from sockwake.admin.each import try_each
from sockwake.admin.option import DEBUG, JSON, NO_HEADER, ROOT, USER, Option
from sockwake.admin.parser import Verb
from sockwake.admin.show import filters
from sockwake.config import scope
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import load
from sockwake.errors import FAILED, USAGE, SockwakeError


def _ls(arguments: Namespace) -> None:
    from sockwake.admin.show import ls

    if arguments.watch:
        from sockwake.admin.show import watch

        if arguments.json:
            raise SockwakeError("--watch and --json exclude each other", status=USAGE)
        watch.require_terminal(f"{scope.command('sockwake ls', '--json')} is for programs")
    missing = ls.missing(arguments.root or "", arguments.names)
    if arguments.watch:
        watch.run(lambda: _listed(arguments))
    else:
        sys.stdout.write(_listed(arguments))
    if missing:
        raise missing


def _listed(arguments: Namespace) -> str:
    """What ls prints."""
    from sockwake.admin.show import ls, table

    rows = filters.chosen(ls.rows(arguments.root or "", arguments.names), arguments.filter or [])
    if arguments.json:
        return f"{json.dumps(rows, indent=2)}\n"
    header = not arguments.no_header
    if rows or not header:
        return table.text(rows, header=header, coloured=colour.is_wanted(sys.stdout))
    if arguments.filter or arguments.names:
        return "There is no such instance.\n"
    program = scope.command("sockwake-new")
    return f"There are no instances. {program} NAME --version 18 makes one.\n"


def _status(arguments: Namespace) -> None:
    from sockwake.admin.show import status, status_text

    root = arguments.root or ""
    names = operands.names(arguments.names, root)
    found: list[dict[str, object]] = []

    def show(name: Name) -> None:
        instance = Instance(name, root)
        settings = load(instance)
        found.append(status.of(instance, settings))
        if not arguments.json:
            blank = "" if name == names[0] else "\n"
            print(f"{blank}{status_text.text(found[-1], instance, settings)}", flush=True)

    problem = try_each(names, show)
    if arguments.json:
        is_one = operands.is_one_name(arguments.names)
        print(json.dumps(found[0] if is_one else found, indent=2))
    if problem:
        raise SockwakeError(
            "not all of them could be read", scope.command("sockwake ls"), problem.status
        )


def _doctor(arguments: Namespace) -> None:
    from sockwake.admin.show.doctor import table as checks

    words = arguments.names
    names, missing = operands.there(operands.names(words, or_all=True))
    chosen = [Instance(name) for name in names]
    if os.geteuid() and not arguments.user:
        print("sockwake: only root can see all of it", file=sys.stderr)
    found = checks.examine(chosen, is_whole=not words)
    if arguments.fix:
        checks.mend(found)
    if arguments.json:
        print(json.dumps([each.facts() for each in found], indent=2))
    elif found:
        print("\n".join(map(checks.line, found)))
    else:
        plural = "" if len(chosen) == 1 else "s"
        print(f"Nothing is wrong with {len(chosen)} instance{plural}.")
    if missing:
        raise missing
    if not all(each.fixed for each in found):
        sys.exit(FAILED)


def _check(arguments: Namespace) -> None:
    from sockwake.admin.show.baked import table as checks
    from sockwake.admin.show.doctor.table import line

    root = arguments.root or ""
    if os.geteuid():
        print("sockwake: only root can see all of it", file=sys.stderr)
    subject, found = checks.look(root, arguments.names)
    if arguments.json:
        facts = ("check", "instance", "finding", "command")
        print(json.dumps([{key: each.facts()[key] for key in facts} for each in found], indent=2))
    elif found:
        print("\n".join(map(line, found)))
    else:
        several = f"{len(subject.chosen)} instance{'' if len(subject.chosen) == 1 else 's'}"
        print(f"Nothing forbids an image of {subject.where} with {several}.")
    if subject.missing:
        raise subject.missing
    if found:
        sys.exit(FAILED)


_FIX = Option("--fix", help="mend what can be mended without harm")
_FILTER = Option(
    "--filter",
    "KEY=VALUE",
    "those of which a key of --json has this value; wildcards match",
    type=filters.parse,
    repeatable=True,
    words=tuple(f"{key}=" for key in filters.KEYS),
)
_WATCH = Option("--watch", help="show it anew every two seconds, until Ctrl-C")

VERBS = (
    Verb(
        "ls",
        _ls,
        "list the instances and their states",
        (_FILTER, _WATCH, JSON, NO_HEADER, ROOT, USER, DEBUG),
        names="these instances; none for all",
    ),
    Verb(
        "status",
        _status,
        "show all that is known of instances, and why they are awake",
        (JSON, ROOT, USER, DEBUG),
        names="instances",
    ),
    Verb(
        "doctor",
        _doctor,
        "look for what is wrong, and tell what mends it",
        (_FIX, JSON, USER, DEBUG),
        names="these instances; none for all of them and the machine",
    ),
    Verb(
        "check",
        _check,
        "look for what forbids to make an image of a system tree, or of this machine",
        (JSON, ROOT, DEBUG),
        names="these instances; none for all of them and the tree",
    ),
)
