"""The command line: parse it, run the verb, print the error and return the exit status."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from sockwake.admin import parser, streams
from sockwake.admin.each import problem_of
from sockwake.admin.verbs import VERBS
from sockwake.config import scope
from sockwake.errors import DONE, FAILED, INTERRUPTED, USAGE, SockwakeError
from sockwake.system import systemctl

# kill(1), a terminal that is closed, Ctrl-\
_ENDINGS = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status."""
    for number in _ENDINGS:
        if signal.getsignal(number) != signal.SIG_IGN:  # by nohup(1)
            signal.signal(number, _interrupt)
    scope.caller_umask = os.umask(0o022)  # modes are what the code says
    streams.prepare()
    try:
        return _done(arguments)
    finally:
        streams.give_up()


def _done(arguments: Sequence[str]) -> int:
    """Run one command, and say how it failed; returns its exit status."""
    try:
        _run(arguments)
    except SockwakeError as error:
        problem = error
    except OSError as error:
        if isinstance(error, BrokenPipeError) and not streams.has_reader():
            return FAILED  # as head(1) ends
        problem = streams.unwritten(error) or _of_the_kernel(error)
    except KeyboardInterrupt:
        problem = SockwakeError("interrupted; it can be run again", status=INTERRUPTED)
    else:
        return DONE
    if "--debug" in arguments:
        import traceback

        traceback.print_exception(problem)
    with suppress(OSError):  # the terminal may be closed
        print(problem, file=sys.stderr, flush=True)
    return problem.status


def _run(arguments: Sequence[str]) -> None:
    """Parse a command line, run its verb, and write all of its output."""
    try:
        parsed = parser.parse(VERBS, arguments)
        _choose_scope(parsed)
        parsed.verb.run(parsed)
    except SystemExit:  # with a status of its own, or of --help
        sys.stdout.flush()
        raise
    sys.stdout.flush()


def _of_the_kernel(error: OSError) -> SockwakeError:
    """An error of a system call, as a sentence with its path, and what helps."""
    problem = problem_of(error)
    problem.__cause__ = error
    return problem


def _interrupt(number: int, _: object) -> NoReturn:
    """Signal handler: undo what was begun, as on Ctrl-C, and ignore further signals meanwhile."""
    for each in _ENDINGS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def _choose_scope(arguments: argparse.Namespace) -> None:
    """Choose the system's instances or a user's own, for the rest of this process."""
    is_user = getattr(arguments, "user", False)
    scope.choose(user=is_user)
    scope.tree = getattr(arguments, "root", None) or ""
    if not is_user:
        return
    if not os.geteuid():
        raise SockwakeError("root's instances are the system's", "run it as the user", USAGE)
    if getattr(arguments, "root", None) is not None:
        raise SockwakeError("--user and --root exclude each other", status=USAGE)
    os.environ["XDG_RUNTIME_DIR"] = scope.runtime()
    if not os.access(".", os.X_OK):  # root's, by runuser(1): podman does not start in there
        os.chdir("/")
    if not systemctl.is_running():
        raise SockwakeError(
            f"systemd runs no units of yours: there is no {scope.runtime()}/systemd",
            "log in, or have it run without that: loginctl enable-linger YOUR-NAME, as root",
        )
    systemctl.take_places()
