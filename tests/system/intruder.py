"""An ordinary user who is logged in and tries to get at instances."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import figures
from program import Ran, must, run

NAME = "intruder-of-the-tests"
_END = "=== ended with status"
_LONGEST = 5  # seconds for each attempt
_PROGRAM = 'for try; do timeout {seconds} sh -c "$try" 2>&1; s=$?; echo; echo "{end} $s"; done'


class Intruder:
    """The account, and commands in its sessions."""

    def __init__(self) -> None:
        self.home = Path(must("getent", "passwd", NAME).split(":")[5])

    def does(self, command: str) -> Ran:
        """Run a command in a new login session."""
        return run("runuser", "--login", NAME, "--command", command)

    def must(self, command: str) -> str:
        return self.does(command).expect(0).out

    def fails(self, *commands: str) -> list[str]:
        """Assert that each command fails; returns the outputs. One login for all: it is slow."""
        script = _PROGRAM.format(seconds=_LONGEST, end=_END)
        said = self.must(shlex.join(["sh", "-c", script, "sh", "echo here I am", *commands]))
        ended = re.findall(rf"(.*?)\n{_END} (\d+)\n", said, re.DOTALL)
        assert len(ended) == len(commands) + 1 and ended[0] == ("here I am\n", "0"), said
        for command, (words, status) in zip(commands, ended[1:]):
            figures.count("hostile attempts")
            assert status != "0", f"{command}\nhas succeeded: {words}"
        return [words for words, _ in ended[1:]]

    def is_denied(self, *commands: str) -> None:
        """Assert that each command fails for a lack of permission."""
        for command, words in zip(commands, self.fails(*commands)):
            assert re.search("denied|not permitted|authentication required", words), (
                f"{command}\nfailed otherwise: {words}"
            )


@contextmanager
def logged_in_intruder() -> Iterator[Intruder]:
    """Have the account meanwhile."""
    must("useradd", "--create-home", "--shell", "/bin/sh", NAME)
    try:
        yield Intruder()
    finally:
        run("loginctl", "terminate-user", NAME)
        run("userdel", "--remove", "--force", NAME)


def connecting(path: Path | str) -> str:
    """The command that connects to a unix socket."""
    program = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    return shlex.join(["python3", "-c", program, str(path)])
