"""PostgreSQL's client programs, run where an instance's own server runs, with its own versions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.engine.api import Engine
from sockwake.oci import bundle
from sockwake.postgres import host_server
from sockwake.postgres import password as passwords
from sockwake.system import files

_INSIDE = "/var/run/postgresql"  # where the container has the directory of the server's socket


@dataclass(frozen=True)
class Beside:
    """How a program is run beside a server that is awake, as its superuser.

    passfile: the name of a file beside the server's socket that has the password.
    """

    instance: Instance
    settings: Settings
    passfile: str

    @property
    def socket_directory(self) -> str:
        """Where such a program finds the server's socket."""
        return _INSIDE if self.settings.is_container else self.instance.backend

    def argv(self, program: str, *words: str) -> list[str]:
        """The command that runs a program, with the server's address and superuser."""
        settings, instance = self.settings, self.instance
        address = [f"--host={self.socket_directory}", f"--username={settings.db_user}"]
        told = [program, "--no-password", *address, *words]
        passfile = f"PGPASSFILE={self.socket_directory}/{self.passfile}"
        owner = os.stat(f"{settings.cluster}/PG_VERSION")
        user = f"{owner.st_uid}:{owner.st_gid}"
        if settings.is_bundled:
            # with --env it gives no variable of the container's own
            variables = ["--env", passfile, "--env", f"PATH={_path(settings)}"]
            into = ["exec", "--user", user, *variables, instance.name]
            return [*bundle.crun(instance), *into, *told]
        if settings.needs_engine:
            engine = Engine.of(settings).program
            into = ["exec", "--interactive", "--user", user, "--env", passfile, instance.container]
            return [engine, *into, *told]
        return ["env", passfile, f"{host_server.binaries(settings.major)}/{told[0]}", *told[1:]]


@contextmanager
def beside(
    instance: Instance, settings: Settings, password: str, passfile: str
) -> Iterator[Beside]:
    """Have programs find the superuser's password, which only their user can read, meanwhile."""
    path = f"{instance.backend}/{passfile}"
    files.remove(path)
    owner = os.stat(f"{settings.cluster}/PG_VERSION").st_uid
    line = passwords.libpq_line("*", "*", "*", "*", password)
    files.write_new(path, 0o600, line, owner if settings.is_container else -1)
    try:
        yield Beside(instance, settings, passfile)
    finally:
        files.remove(path)


def _path(settings: Settings) -> str:
    """Where images have psql: of Debian beside its server, of others in PATH."""
    usual = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return f"{usual}:{host_server.binaries(settings.major)}"
