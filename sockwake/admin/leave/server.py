"""The server of an instance that is awake, by the programs that came with it.

They run beside it, in its container or from the package of its version, and so never have another
version than the server has. The port may be closed meanwhile.
"""

import json
from collections.abc import Sequence
from typing import Any

from sockwake.admin.access import inside
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.postgres import cluster, host_server
from sockwake.postgres.names import IN_UTF8
from sockwake.system import process

_APPLICATION = "sockwake export"
# the password comes in the first line of stdin, and so in no command line
_WITH_PASSWORD = 'IFS= read -r PGPASSWORD; export PGPASSWORD; exec "$@"'
_OWNER = "id -u postgres && id -g postgres"
_INTO_FILE = 'exec "$@" >>"$0"'
_QUIETLY = "-XqAt --no-password -v ON_ERROR_STOP=1 --file=-"
# when this process is killed, so are they
_NEVER_ALONE = ("setpriv", "--pdeathsig", "KILL")


class Server:
    """The server of one instance, which a hold keeps awake. secret: its superuser's password."""

    def __init__(self, instance: Instance, settings: Settings, secret: str) -> None:
        self._instance = instance
        self._settings = settings
        self.secret = secret

    def ask(self, query: str, database: str) -> Any:
        """What a query returns, which is one value of JSON; raises ProgramError."""
        argv = self._argv("psql", [*_QUIETLY.split()], database)
        text = f"{self.secret}\n{IN_UTF8}{query}"
        return json.loads(process.run(argv, stdin=text, timeout=None))

    def dump(self, path: str) -> None:
        """Append all databases and roles, as SQL, to a file that is there; raises ProgramError."""
        argv = self._argv("pg_dumpall", ["--no-password"], self._settings.db_name)
        into = ["sh", "-c", _INTO_FILE, path]
        process.run([*into, *argv], stdin=f"{self.secret}\n", timeout=None)

    def owner(self) -> tuple[int, int]:
        """The user and the group as whom the entrypoint of its image has a server run.

        It need not be the owner of its cluster, which may have been adopted. Of a server of the
        host it is that of the image that comes in its place, the official one.
        """
        if not self._settings.is_container:
            return cluster.OFFICIAL_OWNER, cluster.OFFICIAL_OWNER
        where = inside.without_terminal(self._instance, self._settings)
        try:
            uid, gid = map(int, process.run([*_NEVER_ALONE, *where, "sh", "-c", _OWNER]).split())
        except (process.ProgramError, ValueError):  # the image has no such user
            return cluster.OFFICIAL_OWNER, cluster.OFFICIAL_OWNER
        return uid, gid

    def _argv(self, program: str, words: Sequence[str], database: str) -> list[str]:
        """The command line of a program beside the server, which reads the password from stdin."""
        settings = self._settings
        told = {
            "PGUSER": settings.db_user,
            "PGDATABASE": database,
            "PGAPPNAME": _APPLICATION,
            # only the client that reads may wait, and not for ever
            "PGOPTIONS": "-c idle_session_timeout=0" if settings.major >= 14 else "",
        }
        where: list[str] = []
        if settings.is_container:
            where = inside.without_terminal(self._instance, settings)
            if settings.tls:  # it may listen on the loopback alone
                told |= {"PGHOST": "127.0.0.1", "PGSSLMODE": "require"}
        else:
            program = f"{host_server.binaries(settings.major)}/{program}"
            told["PGHOST"] = self._instance.backend
        variables = [f"{name}={value}" for name, value in told.items() if value]
        return [
            *_NEVER_ALONE,
            *where,
            *("sh", "-c", _WITH_PASSWORD, "sh", "env"),
            *variables,
            program,
            *words,
        ]
