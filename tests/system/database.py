"""A PostgreSQL instance under test."""

from __future__ import annotations

import subprocess
from glob import glob
from pathlib import Path

import figures
from client import Client
from moment import until
from program import PATIENCE, Ran, must, run, start
from service import Service

IMAGE = "postgres:18"
# of Debian's without its wrapper in perl, which takes longer than all the rest
PSQL = max(glob("/usr/lib/postgresql/*/bin/psql"), default="psql")


class Database(Service):
    """The PostgreSQL instance NAME."""

    proxy_before = 0  # the proxy's process when a test began to do damage

    @property
    def cluster(self) -> Path:
        """PGDATA on the host."""
        return self.data / "18/docker" if self.setting("VERSION") == "18" else self.data

    @property
    def password(self) -> str:
        return (self.etc / "password").read_text().strip()

    @password.setter
    def password(self, value: str) -> None:
        (self.etc / "password").write_text(f"{value}\n")

    # clients

    def try_psql(
        self,
        sql: str = "select 1",
        *options: str,
        host: str = "127.0.0.1",
        timeout: float = PATIENCE,
    ) -> Ran:
        """Run psql, whatever its status."""
        figures.count("connections made")
        argv = (*self._where(host), "-XAt", "-v", "ON_ERROR_STOP=1", "-c", sql, *options)
        return run(PSQL, *argv, env=self.environment, timeout=timeout)

    def psql(
        self,
        sql: str = "select 1",
        *options: str,
        host: str = "127.0.0.1",
        timeout: float = PATIENCE,
    ) -> str:
        """The output of a psql that must succeed."""
        return self.try_psql(sql, *options, host=host, timeout=timeout).expect(0).out.strip()

    def start_psql(self, sql: str = "select 1") -> subprocess.Popen[str]:
        """A psql that goes on beside the test, which ends it."""
        where = self._where("127.0.0.1")
        return start(PSQL, *where, "-XAtc", sql, env=self.environment)

    def tool(
        self, program: str, *arguments: str, stdin: str | None = None, timeout: float = PATIENCE
    ) -> str:
        """The output of pg_dump, pgbench or another client program, which must succeed."""
        figures.count("connections made")
        return must(
            program,
            *self._where("127.0.0.1"),
            *arguments,
            env=self.environment,
            stdin=stdin,
            timeout=timeout,
        )

    def connect(self, *, source: str = "", database: str = "", host: str = "127.0.0.1") -> Client:
        """A connection in this process; the caller closes it."""
        figures.count("connections made")
        user = self.setting("DB_USER")
        return Client(
            (host, self.port),
            user,
            database or self.setting("DB_NAME"),
            self.password,
            source=source,
        )

    def at_work(self) -> Client:
        """A connection that no check ends, as it is in a transaction."""
        client = self.connect()
        client.query("begin")
        return client

    def fatal(self) -> str:
        """The FATAL message psql gets. What has told it is gone then: no later client gets that."""
        ran = self.try_psql()
        assert ran.status == 2 and "FATAL:" in ran.err, f"a FATAL was expected\n{ran}"
        said = ran.err.partition("FATAL:")[2].strip()
        if said.startswith("sockwake: "):
            ended = ("inactive", "failed")
            until("the refusing proxy has ended", lambda: self.state(self.proxy) in ended)
        return said

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PGPASSWORD": self.password,
            "PGUSER": self.setting("DB_USER"),
            "PGDATABASE": self.setting("DB_NAME"),
        }

    def _where(self, host: str) -> tuple[str, str, str, str]:
        return "-h", host, "-p", str(self.port)

    # files

    def edit_compose(self, old: str, new: str) -> None:
        """Change compose.yaml."""
        self.edit("compose.yaml", old, new)

    def add_guc(self, guc: str) -> None:
        """One more -c GUC=VALUE in compose.yaml."""
        self.edit_compose("      - postgres\n", f"      - postgres\n      - -c\n      - {guc}\n")
