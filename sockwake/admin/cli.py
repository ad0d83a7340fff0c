"""The command line: what was asked, and how it ended."""

import argparse
import io
import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from sockwake.admin import describe, exposure, ls, new, parser, rm, status
from sockwake.admin.decide import decide
from sockwake.admin.option_types import checked_root
from sockwake.config import scope
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import load
from sockwake.errors import USAGE, SockwakeError
from sockwake.system import systemctl

_ENDINGS = (
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
)  # a polite kill, a lost terminal, Ctrl-\\


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status."""
    for number in _ENDINGS:
        if signal.getsignal(number) != signal.SIG_IGN:  # by nohup(1)
            signal.signal(number, _interrupt)
    os.umask(0o022)  # modes are what the code says, whatever the administrator's habits
    for stream in (sys.stdout, sys.stderr):
        if isinstance(
            stream, io.TextIOWrapper
        ):  # a path or a name may have letters that this locale has not
            stream.reconfigure(errors="backslashreplace")
    debug = "--debug" in arguments
    try:
        parsed = parser.build().parse_args(arguments)
        _choose_scope(parsed)
        _VERBS[parsed.verb](parsed)
    except SockwakeError as error:
        problem = error
    except OSError as error:
        hint = (
            "run this as root" if isinstance(error, PermissionError) and not scope.is_user() else ""
        )
        what = f"cannot use {error.filename}: " if error.filename else ""
        problem = SockwakeError(f"{what}{(error.strerror or str(error)).lower()}", hint)
        problem.__cause__ = error
    except KeyboardInterrupt:
        problem = SockwakeError("interrupted; it can be run again", status=130)
    else:
        return 0
    if debug:
        import traceback

        traceback.print_exception(problem)
    with suppress(OSError):  # its terminal may be what it has lost
        print(problem, file=sys.stderr, flush=True)
    return problem.status


def _interrupt(number: int, _: object) -> NoReturn:
    """Undo what was begun, as on Ctrl-C; what comes with it, or after it, does not interrupt that, too."""
    for each in _ENDINGS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def _choose_scope(arguments: argparse.Namespace) -> None:
    """Settle whose instances this is about, for good."""
    scope.choose(user=arguments.user)
    if not arguments.user:
        return
    if not os.geteuid():
        raise SockwakeError("root's instances are the system's", "run it as the user", USAGE)
    if getattr(arguments, "root", None) is not None:
        raise SockwakeError("--user and --root exclude each other", status=USAGE)
    os.environ["XDG_RUNTIME_DIR"] = scope.runtime()
    if not systemctl.is_running():
        raise SockwakeError(
            f"systemd runs no units of yours: there is no {scope.runtime()}/systemd",
            "log in, or have it run without that: loginctl enable-linger YOUR-NAME, as root",
        )
    systemctl.take_places()


def _become_owner(arguments: argparse.Namespace) -> None:
    """Of what the user's containers own."""
    if arguments.user:
        from sockwake.engine import rootless

        rootless.enter()


def _new(arguments: argparse.Namespace) -> None:
    request = decide(arguments)
    _become_owner(arguments)
    if arguments.dry_run:
        new.dry_run(request, arguments)
        return
    quiet = arguments.quiet or arguments.json
    made, settings = new.make(
        request,
        provision=not arguments.no_provision,
        enable=arguments.enable,
        quiet=quiet,
        debug=arguments.debug,
    )
    facts = describe.describe(request, made, settings)
    sys.stderr.write("" if arguments.quiet else exposure.aloud(made, settings))
    if arguments.json:
        print(json.dumps(facts, indent=2))
    elif not arguments.quiet:
        print(describe.sentences(request, made, settings, facts, enabled=arguments.enable))


def _ls(arguments: argparse.Namespace) -> None:
    rows = ls.rows(checked_root(arguments.root))
    if arguments.json:
        print(json.dumps(rows, indent=2))
    elif rows:
        print(ls.table(rows))
    else:
        print(
            f"There are no instances. {scope.command('sockwake-new')} NAME --version 18 makes one."
        )


def _status(arguments: argparse.Namespace) -> None:
    instance = Instance(Name(arguments.name), checked_root(arguments.root))
    settings = load(instance)
    facts = status.of(instance, settings)
    if arguments.json:
        print(json.dumps(facts, indent=2))
    else:
        print(status.sentences(facts, instance, settings))


def _rm(arguments: argparse.Namespace) -> None:
    _become_owner(arguments)
    said = rm.remove(Name(arguments.name), purge=arguments.purge, root=checked_root(arguments.root))
    sentence = "; ".join(said)
    print(f"{sentence[0].upper()}{sentence[1:]}.")


def _compose(arguments: argparse.Namespace) -> None:
    from sockwake.engine.api import Engine
    from sockwake.engine.compose import Project

    instance = Instance(Name(arguments.name))
    settings = load(instance)
    project = Project(instance, settings, Engine.of(settings))
    command = project.command(*arguments.arguments)
    os.execvpe(command[0], command, os.environ | project.environment)


_VERBS = {"new": _new, "ls": _ls, "status": _status, "rm": _rm, "compose": _compose}
