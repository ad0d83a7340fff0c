"""The verbs of upkeep: newer images and versions, and what sleep would starve."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from dataclasses import asdict

from sockwake.admin.each import do_to_each
from sockwake.admin.option import DEBUG, JSON, QUIET, ROOT, USER, Option
from sockwake.admin.parser import Verb
from sockwake.config import scope
from sockwake.config.instance import Name
from sockwake.config.values import one_of, version
from sockwake.errors import USAGE, SockwakeError, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.admin.upkeep.new_version import Wish

METHODS = ("upgrade", "link", "clone", "dump")


def _update(arguments: Namespace) -> None:
    from sockwake.admin.upkeep import update

    root, quiet = arguments.root or "", arguments.quiet or arguments.json
    names = update.operands(arguments.names, all_of_them=arguments.all, root=root)
    rows = []

    def one(name: Name) -> str:
        done = update.update(
            name, back=arguments.back, wake=not arguments.no_wake, root=root, quiet=quiet
        )
        rows.append(asdict(done))
        return done.said

    try:
        do_to_each(names, one, "updated", quiet=quiet)
    finally:
        if arguments.json:
            print(json.dumps(rows, indent=2))


def _upgrade(arguments: Namespace) -> None:
    from sockwake.admin.upkeep import upgrade

    wish = _wish(arguments)
    if arguments.back:
        done = upgrade.back(arguments.name)
    elif arguments.forget:
        done = upgrade.forget(arguments.name)
    else:
        done = upgrade.upgrade(arguments.name, wish)
    for note in () if arguments.quiet else done.notes:
        print(f"sockwake: {shown(note)}", file=sys.stderr)
    if arguments.json:
        print(json.dumps({"name": arguments.name, **asdict(done)}, indent=2))
    elif not arguments.quiet:
        print(f"{done.said}.")


def _wish(arguments: Namespace) -> Wish:
    """What is asked for; raises SockwakeError (usage)."""
    from sockwake.admin.upkeep.new_version import Wish

    asked = [flag for flag in ("version", "back", "forget") if getattr(arguments, flag)]
    if len(asked) != 1:
        raise SockwakeError(
            "say one of --version, --back and --forget",
            scope.command("sockwake upgrade", "--version", "VERSION", arguments.name),
            USAGE,
        )
    with_version = {
        "--check": arguments.check,
        "--image": arguments.image,
        "--method": arguments.method,
    }
    if asked != ["version"] and (wrong := next((f for f, v in with_version.items() if v), "")):
        raise SockwakeError(f"{wrong} is for --version", status=USAGE)
    return Wish(
        arguments.version or 0,
        arguments.method or "",
        arguments.image or "",
        check=arguments.check,
        quiet=arguments.quiet or arguments.json,
    )


def _method(text: str) -> str:
    return one_of(text, METHODS, "method")


VERBS = (
    Verb(
        "update",
        _update,
        "give instances the newest image of its name",
        (
            Option("--all", help="every instance that crun wakes"),
            Option("--back", help="give them the image that they had before"),
            Option("--no-wake", help="wake none of those that sleep to prove it"),
            QUIET,
            JSON,
            USER,
            ROOT,
            DEBUG,
        ),
        description="Give instances that crun wakes the newest image of the name that they have, "
        "or the one before. Each that sleeps is woken once, and has its image back when it does "
        "not answer; one that is awake gets the new one with its next wake.",
        names="instances",
    ),
    Verb(
        "upgrade",
        _upgrade,
        "have an instance served by a newer major version of PostgreSQL",
        (
            Option("--version", "N", "the major version", type=version),
            Option(
                "--method",
                "METHOD",
                "how it gets the data",
                type=_method,
                otherwise="clone, or upgrade where files cannot be cloned",
                words=METHODS,
            ),
            Option(
                "--image",
                "IMAGE",
                "of that version",
                otherwise="the one that it has, with the other version in its tag",
            ),
            Option("--check", help="only look whether it can be done"),
            Option("--back", help="have the cluster served again that was before"),
            Option("--forget", help="delete the cluster that is not served any more"),
            QUIET,
            JSON,
            DEBUG,
        ),
        description="Have an instance served by a newer major version of PostgreSQL, with its "
        "data, its settings, its port and its passwords; or by the one before again.",
        has_name=True,
    ),
)
