"""The verbs of sockwake(8): a table, and what each does with its checked arguments."""

import json
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence

from sockwake.admin import describe, exposure, images, ls, new, rm, runtimes, status
from sockwake.admin.decide import decide
from sockwake.admin.new_options import OPTIONS
from sockwake.admin.option import DEBUG, ROOT, Option
from sockwake.admin.parser import Verb
from sockwake.config import scope
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import load
from sockwake.errors import SockwakeError


def _new(arguments: Namespace) -> None:
    request = decide(arguments)
    images.enter(arguments)
    if arguments.dry_run:
        from sockwake.admin import rehearsal

        rehearsal.show(request, arguments)
        return
    made, settings = new.make(
        request,
        provision=not arguments.no_provision,
        enable=arguments.enable,
        quiet=arguments.quiet or arguments.json,
        debug=arguments.debug,
    )
    facts = describe.describe(request, made, settings)
    sys.stderr.write("" if arguments.quiet else exposure.aloud(made, settings, request.warnings))
    if arguments.json:
        print(json.dumps(facts, indent=2))
    elif not arguments.quiet:
        print(describe.sentences(request, made, settings, facts, enabled=arguments.enable))


def _ls(arguments: Namespace) -> None:
    rows = ls.rows(arguments.root or "")
    if arguments.json:
        print(json.dumps(rows, indent=2))
    elif rows:
        print(ls.table(rows))
    else:
        program = scope.command("sockwake-new")
        print(f"There are no instances. {program} NAME --version 18 makes one.")


def _status(arguments: Namespace) -> None:
    instance = Instance(arguments.name, arguments.root or "")
    settings = load(instance)
    facts = status.of(instance, settings)
    if arguments.json:
        print(json.dumps(facts, indent=2))
    else:
        print(status.sentences(facts, instance, settings))


def _rm(arguments: Namespace) -> None:
    images.enter(arguments)
    said = rm.remove(arguments.name, purge=arguments.purge, root=arguments.root or "")
    sentence = "; ".join(said)
    print(f"{sentence[0].upper()}{sentence[1:]}.")


def _runtime(arguments: Namespace) -> None:
    root = arguments.root or ""
    names, to = runtimes.operands(arguments.names, all_of_them=arguments.all, root=root)
    if to:
        images.enter(arguments)
        _move(names, to, arguments)
    if arguments.json or not to:
        rows = runtimes.rows(names, root, only_valid=not arguments.names or arguments.all)
        print(json.dumps(rows, indent=2) if arguments.json else runtimes.table(rows))


def _move(names: Sequence[Name], to: str, arguments: Namespace) -> None:
    """Move instances; one that needs an engine stays with it where all are meant."""
    from sockwake.admin import move
    from sockwake.lifecycle.needs_engine import EngineNeededError

    def one(name: Name) -> str:
        return move.move(name, to, root=arguments.root or "", quiet=arguments.json)

    stays = (EngineNeededError,) if arguments.all else ()
    _do_to_each(names, one, "moved", quiet=arguments.json, harmless=stays)


def _update(arguments: Namespace) -> None:
    from sockwake.admin import update

    root, quiet = arguments.root or "", arguments.quiet
    names = update.operands(arguments.names, all_of_them=arguments.all, root=root)

    def one(name: Name) -> str:
        return update.update(name, back=arguments.back, root=root, quiet=quiet)

    _do_to_each(names, one, "updated", quiet=quiet)


def _do_to_each(
    names: Sequence[Name],
    one: Callable[[Name], str],
    done: str,
    *,
    quiet: bool,
    harmless: tuple[type[SockwakeError], ...] = (),
) -> None:
    """Do something to each instance, and say what; one that fails keeps no other from it.

    done: "moved". quiet: whether only errors are said. harmless: errors that are said, and are no
    failure. Raises SockwakeError at the end, or that of the only one.
    """
    problem = None
    for name in names:
        try:
            said = one(name)
        except harmless as error:
            print(f"sockwake: {name}: {error.whole}", file=sys.stderr)
        except SockwakeError as error:
            if len(names) == 1:
                raise
            print(f"sockwake: {name}: {error.whole}", file=sys.stderr)
            problem = error
        else:
            if not quiet:
                print(f"{said}.", flush=True)
    if problem:
        raise SockwakeError(f"not all of them were {done}", "run it again", problem.status)


def _compose(arguments: Namespace) -> None:
    from sockwake.engine import compose_project, project_containers
    from sockwake.engine.api import Engine
    from sockwake.engine.compose import Project

    instance = Instance(arguments.name)
    settings = load(instance)
    if not settings.is_container:
        raise SockwakeError(
            f"instance '{instance.name}' has no container",
            f"systemctl cat {instance.backend_unit} shows what systemd runs",
        )
    if settings.is_project:
        environment = project_containers.environment(Engine.of(settings))
        command = compose_project.by_hand(settings.project, settings.profiles, environment)
        os.execvp(command[0], [*command, *arguments.rest])
    project = Project(instance, settings, Engine.of(settings))
    command = project.command(*arguments.rest)
    os.execvpe(command[0], command, os.environ | project.environment)


_USER = Option("--user", help="of the calling user's own instances")
_PURGE = Option("--purge", help="delete the data too")

VERBS = (
    Verb(
        "new",
        _new,
        "make an instance",
        OPTIONS,
        description="Make an instance: a PostgreSQL, or whatever else it is, "
        "whose port is always open and which runs only while clients are connected.",
        has_name=True,
        makes_name=True,
        manual="sockwake-new(8)",
    ),
    Verb(
        "ls",
        _ls,
        "list the instances and their states",
        (Option("--json", help="as a JSON array"), ROOT, _USER, DEBUG),
    ),
    Verb(
        "status",
        _status,
        "show all that is known of an instance",
        (Option("--json", help="as a JSON object"), ROOT, _USER, DEBUG),
        has_name=True,
    ),
    Verb(
        "runtime",
        _runtime,
        "show what wakes instances, or have another runtime do it",
        (
            Option("--all", help="every instance"),
            Option("--json", help="as a JSON array"),
            ROOT,
            _USER,
            DEBUG,
        ),
        description="Show what wakes instances, and why; or have crun or an engine wake them, "
        "which is tried out, with their data as they are.",
        names="instances; with crun or engine behind them they are moved there",
    ),
    Verb(
        "update",
        _update,
        "give instances the newest image of its name",
        (
            Option("--all", help="every instance that crun wakes"),
            Option("--back", help="give them the image that they had before"),
            Option("--quiet", help="say nothing but errors"),
            _USER,
            ROOT,
            DEBUG,
        ),
        description="Give instances that crun wakes the newest image of the name that they have, "
        "with their next wake; or the one before.",
        names="instances",
    ),
    Verb(
        "rm", _rm, "remove an instance; its data stay", (_PURGE, ROOT, _USER, DEBUG), has_name=True
    ),
    Verb(
        "compose",
        _compose,
        "run compose on an instance's container",
        (_USER, DEBUG),
        has_name=True,
        rest="ARGUMENT",
    ),
    *images.VERBS,
)
