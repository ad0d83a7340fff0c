"""The server of a user's own instance, asked by the psql(1) of the host: a user sees no cluster."""

from __future__ import annotations

from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.postgres import password


class FromOutside:
    """How a client's program reaches a server that is awake, as its superuser.

    environment: of the program.
    """

    def __init__(self, instance: Instance, settings: Settings) -> None:
        port = settings.socket_name.rpartition(".")[2]
        self._address = [f"--host={instance.backend}", f"--port={port}"]
        self._user = settings.db_user
        self.environment = {"PGPASSWORD": password.require_password(instance)}

    def argv(self, program: str, *words: str) -> list[str]:
        """The command that runs a program."""
        return [program, "--no-password", *self._address, f"--username={self._user}", *words]
