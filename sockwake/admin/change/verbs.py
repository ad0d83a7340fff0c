"""The verbs that change instances, or remove them."""

import json
import os
from argparse import Namespace
from collections.abc import Sequence

from sockwake.admin import operands, own
from sockwake.admin.change import edit_verbs, name_verbs
from sockwake.admin.each import do_to_each
from sockwake.admin.option import ALL, DEBUG, JSON, ROOT, USER, Option
from sockwake.admin.parser import Verb
from sockwake.admin.words import capital
from sockwake.config import scope
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import load
from sockwake.errors import USAGE, SockwakeError
from sockwake.system import systemctl


def _rm(arguments: Namespace) -> None:
    from sockwake.admin.change import rm

    root = arguments.root or ""
    names = operands.names(arguments.names, root)
    if arguments.purge and not arguments.yes and operands.has_pattern(arguments.names):
        raise SockwakeError(
            f"this would delete the data of {', '.join(names)}, and not all of them are named",
            "name them, or add --yes",
            USAGE,
        )
    if arguments.expired and (arguments.purge or root):
        raise SockwakeError("--expired has no use for --purge, or in a tree", status=USAGE)
    own.enter(arguments)

    def one(name: Name) -> str:
        if arguments.expired:
            said = rm.remove_expired(name)
            return f"The time of {name} is over: {'; '.join(said)}"
        said = rm.remove(name, purge=arguments.purge, root=root, reload=len(names) == 1)
        return capital("; ".join(said))

    try:
        do_to_each(names, one, "removed", quiet=False)
    finally:
        if len(names) > 1 and not root and systemctl.is_running():
            systemctl.reload()


def _runtime(arguments: Namespace) -> None:
    from sockwake.admin.change import runtimes

    root = arguments.root or ""
    names, to = runtimes.operands(arguments.names, all_of_them=arguments.all, root=root)
    problem = None
    if to:
        own.enter(arguments)
        try:
            _move(names, to, arguments)
        except SockwakeError as error:
            if not arguments.json or len(names) == 1:
                raise
            problem = error  # of the others it is told what wakes them now
    if arguments.json or not to:
        only_valid = bool(problem or not arguments.names or arguments.all)
        rows, untold = runtimes.rows(names, root, only_valid=only_valid)
        print(json.dumps(rows, indent=2) if arguments.json else runtimes.table(rows))
        if untold:
            problem = SockwakeError("not all of them can be told", status=untold.status)
    if problem:
        raise problem


def _move(names: Sequence[Name], to: str, arguments: Namespace) -> None:
    """Move instances; one that needs an engine stays with it where all are meant."""
    from sockwake.admin.change import move
    from sockwake.lifecycle.needs_engine import EngineNeededError

    def one(name: Name) -> str:
        return move.move(name, to, root=arguments.root or "", quiet=arguments.json)

    stays = (EngineNeededError,) if arguments.all else ()
    do_to_each(names, one, "moved", quiet=arguments.json, harmless=stays)


def _compose(arguments: Namespace) -> None:
    from sockwake.engine import compose_project, project_containers
    from sockwake.engine.api import Engine
    from sockwake.engine.compose import Project

    instance = Instance(arguments.name)
    settings = load(instance)
    words = arguments.rest[1:] if arguments.rest[:1] == ["--"] else arguments.rest
    if not settings.is_container:
        raise SockwakeError(
            f"instance '{instance.name}' has no container",
            f"{scope.command('systemctl', 'cat', instance.backend_unit)} shows what systemd runs",
        )
    if settings.is_project:
        environment = project_containers.environment(Engine.of(settings))
        command = compose_project.by_hand(settings.project, settings.profiles, environment)
        os.execvp(command[0], [*command, *words])
    project = Project(instance, settings, Engine.of(settings))
    command = project.command(*words)
    os.execvpe(command[0], command, os.environ | project.environment)


_PURGE = Option("--purge", help="delete the data too")
_EXPIRED = Option("--expired", help="copies whose --ttl is over, with data and clients")
_YES = Option("--yes", help="with --purge also of all that a wildcard stands for")

VERBS = (
    Verb(
        "runtime",
        _runtime,
        "show what wakes instances, or have another runtime do it",
        (ALL, JSON, ROOT, USER, DEBUG),
        description="Show what wakes instances, and why; or have crun or an engine wake them, "
        "which is tried out, with their data as they are.",
        names="instances; with crun or engine behind them they are moved there",
    ),
    *edit_verbs.VERBS,
    *name_verbs.VERBS,
    Verb(
        "rm",
        _rm,
        "remove instances; their data stay",
        (_PURGE, _YES, _EXPIRED, ROOT, USER, DEBUG),
        names="instances",
    ),
    Verb(
        "compose",
        _compose,
        "run compose on an instance's container",
        (USER, DEBUG),
        description="Run compose on the container of one instance, or on its project, with the "
        "files and the environment that its wakes use; several have several projects.",
        has_name=True,
        rest="ARGUMENT",
    ),
)
