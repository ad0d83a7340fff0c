"""The verb that maintains instances."""

import json
import os
import sys
from argparse import Namespace

from sockwake.admin import operands
from sockwake.admin.each import do_to_each, try_each
from sockwake.admin.option import DEBUG, JSON, USER, Option
from sockwake.admin.parser import Verb
from sockwake.config import scope
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import load_if_valid
from sockwake.errors import PENDING, USAGE, SockwakeError, shown


def _maintain(arguments: Namespace) -> None:
    from sockwake.admin.steer.wake import require_power
    from sockwake.admin.upkeep import maintain

    names = _names(arguments)
    if arguments.check:
        _check(arguments, names)
        return
    if arguments.json:
        raise SockwakeError("--json is for --check", "sockwake maintain --help", USAGE)
    require_power()
    do_to_each(
        names,
        lambda name: maintain.maintain(name, if_due=arguments.if_due),
        "maintained",
        quiet=arguments.quiet,
    )


def _check(arguments: Namespace, names: list[Name]) -> None:
    from sockwake.admin.upkeep import maintain

    found: list[maintain.Subject] = []

    def one(name: Name) -> None:
        found.append(maintain.look(name))
        if not arguments.json and not (arguments.quiet and not found[-1].due):
            print(shown(found[-1].sentence()), flush=True)

    problem = try_each(names, one)
    if arguments.json:
        facts = [each.facts() for each in found]
        print(json.dumps(facts[0] if operands.is_one_name(arguments.names) else facts, indent=2))
    if problem:
        raise SockwakeError(
            "not all of them could be looked at", scope.command("sockwake ls"), problem.status
        )
    if any(each.due for each in found):
        sys.exit(PENDING)


def _names(arguments: Namespace) -> list[Name]:
    """The instances that are named, or all that have a cluster; raises SockwakeError (usage).

    One that has never been awake has none yet.
    """

    def has_a_cluster(instance: Instance) -> bool:
        settings = load_if_valid(instance)
        is_made = not os.path.exists(instance.uninitialised_file)
        return is_made and bool(settings and settings.has_cluster)

    return operands.named_or_all(
        arguments.names,
        all_of_them=arguments.all,
        example=scope.command("sockwake maintain", "--all"),
        fits=has_a_cluster,
    )


VERBS = (
    Verb(
        "maintain",
        _maintain,
        "do what sleep would starve: vacuum, freeze, analyze, reindex, verify checksums",
        (
            Option("--all", help="every PostgreSQL"),
            Option("--if-due", help="only what is due; one of which nothing is, is not woken"),
            Option("--check", help="say what is due, wake nothing, change nothing"),
            Option("--quiet", help="say nothing but errors, and with --check what is due"),
            JSON,
            USER,
            DEBUG,
        ),
        description="Verify the checksums of instances that sleep, and wake them, one after the "
        "other, to vacuum, freeze and analyze what needs it, and to rebuild indexes that a new C "
        "library sorts otherwise. Clients are served meanwhile.",
        names="instances",
    ),
)
