"""The command line: what was asked, and how it ended."""

import argparse
import io
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from sockwake.admin import parser
from sockwake.admin.verbs import VERBS
from sockwake.config import scope
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
        parsed = parser.build(VERBS).parse_args(arguments)
        _choose_scope(parsed)
        parsed.verb.run(parsed)
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
