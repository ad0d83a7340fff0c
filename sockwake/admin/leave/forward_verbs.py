"""The verb that leads the clients of an instance to where its data have gone."""

import json
from argparse import Namespace

from sockwake.admin import operands
from sockwake.admin.option import DEBUG, JSON, USER, Option
from sockwake.admin.parser import Verb
from sockwake.config import scope
from sockwake.config.instance import Name
from sockwake.errors import USAGE, SockwakeError


def _forward(arguments: Namespace) -> None:
    words = arguments.names
    has_change = any((arguments.leader, arguments.force, arguments.early))
    if not words and (has_change or arguments.back):
        raise SockwakeError("say which instance", _example(), USAGE)
    if arguments.back:
        _back(arguments)
    elif len(words) > 1:
        _to(arguments)
    elif has_change:
        raise SockwakeError("say where to", _example(), USAGE)
    if arguments.json or (len(words) < 2 and not arguments.back):
        _show(arguments)


def _example() -> str:
    return scope.command("sockwake forward", "NAME", "HOST:PORT...")


def _to(arguments: Namespace) -> None:
    from sockwake.admin.leave import forward

    name, *places = arguments.names
    wish = forward.Wish(force=arguments.force, early=arguments.early)
    said = forward.forward(Name(name), places, arguments.leader or "", wish)
    if not arguments.json:
        print(f"{said}.")


def _back(arguments: Namespace) -> None:
    from sockwake.admin.leave import forward

    if len(arguments.names) != 1 or arguments.leader or arguments.early:
        raise SockwakeError("--back takes the name of an instance, and --force", status=USAGE)
    said = forward.back(Name(arguments.names[0]), forward.Wish(force=arguments.force))
    if not arguments.json:
        print(f"{said}.")


def _show(arguments: Namespace) -> None:
    from sockwake.admin.leave import forwarded

    rows, problem = forwarded.rows(operands.names(arguments.names[:1], or_all=True))
    if arguments.json:
        print(json.dumps(rows, indent=2))
    elif rows:
        print(forwarded.table(rows))
    elif not arguments.names and not problem:
        print(f"No instance is forwarded. {_example()} forwards one.")
    elif arguments.names:
        command = scope.command("sockwake forward", arguments.names[0])
        print(f"{arguments.names[0]} is not forwarded. {command} HOST:PORT forwards it.")
    if problem:
        raise SockwakeError("not all of them can be told", status=problem.status)


VERBS = (
    Verb(
        "forward",
        _forward,
        "lead an instance's clients to where its data have gone",
        (
            Option("--back", help="lead them to the instance's own data again"),
            Option("--early", help="also while none of the servers leads: clients wait for one"),
            Option("--force", help="also with clients, which are sent away"),
            Option(
                "--leader",
                "CHECK",
                "how a leader is told: http:8008/primary, https:PORT/PATH, or tcp",
            ),
            JSON,
            USER,
            DEBUG,
        ),
        description="Keep the port of an instance open, and lead its clients to other servers, to "
        "the one of them that leads; its own data sleep on, untouched. Without HOST:PORT, show "
        "where they are led.",
        names="an instance; behind it HOST:PORT of each server",
    ),
)
