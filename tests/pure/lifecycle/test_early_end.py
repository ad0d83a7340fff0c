"""What a container asked for before it ended, and the option that is named for it."""

from __future__ import annotations

from typing import Any

import pytest

from sockwake.errors import SockwakeError
from sockwake.lifecycle.early_end import explained

MARIADB = """\
[ERROR] [Entrypoint]: Database is uninitialized and password option is not specified
    You need to specify one of MARIADB_ROOT_PASSWORD, MARIADB_ROOT_PASSWORD_HASH and others
"""
POSTGRES = """\
Error: Database is uninitialized and superuser password is not specified.
       You must specify POSTGRES_PASSWORD to a non-empty value for the
       superuser. For example, "-e POSTGRES_PASSWORD=password" on "docker run".

       https://www.postgresql.org/docs/current/auth-trust.html
"""


class Ended:
    """A container that has said something and has ended."""

    def __init__(self, said: str) -> None:
        self.tail = said.encode()

    def how_it_ended(self) -> SockwakeError:
        return SockwakeError("it ended", said=self.tail.decode().strip().rpartition("\n")[2])


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        (MARIADB, "--env MARIADB_ROOT_PASSWORD=VALUE"),
        (POSTGRES, "--env POSTGRES_PASSWORD=VALUE"),
        ("sh: 1: TOKEN: parameter not set", "--env TOKEN=VALUE"),
        ("run.sh: line 3: API_KEY: unbound variable", "--env API_KEY=VALUE"),
        ("KeyError: 'DATABASE_URL'\n", "--env DATABASE_URL=VALUE"),
        ("the environment variable TOKEN is missing", "--env TOKEN=VALUE"),
        ("s6-overlay-suexec: fatal: can only run as pid 1", "init: false"),
        ('could not translate host name "db" to address', "--network bridge"),
        ("connect: Network is unreachable", "--network host"),
        ("cannot open its files", "--env KEY=VALUE"),
        ("HTTP server failed", "--env KEY=VALUE"),
        ("", ""),
    ],
)
def test_the_option_that_helps_is_named(said: str, hint: str) -> None:
    container: Any = Ended(said)
    error = explained(container)
    assert hint in error.hint if hint else not error.hint
    assert error.message == "it ended"
    assert not hint.endswith("VALUE") or "KEY" in hint or hint[6:-6] in error.said
