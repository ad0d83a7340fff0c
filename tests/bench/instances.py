"""The instances that the bench measures, made with sockwake-new."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass

from postgres_client import ClientError, Connection
from traces import BenchError, await_asleep, read

PATTERNS = ("pg-postgres@*", "pg-proxy@*")


@dataclass(frozen=True)
class Instance:
    """One sockwake instance."""

    name: str
    port: int
    password: str

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port)

    @property
    def backend(self) -> str:
        return f"pg-postgres@{self.name}.service"

    @property
    def proxy(self) -> str:
        return f"pg-proxy@{self.name}.service"

    @property
    def container(self) -> str:
        return f"sockwake-{self.name}"

    @property
    def holder(self) -> str:
        """The unit whose end means that it goes to sleep."""
        return self.proxy

    def ask(self) -> None:
        """One client from connect to row; raises ClientError."""
        connection = Connection(self.address, self.password)
        try:
            if connection.query("select 1") != "1":
                raise ClientError("the row is not the one asked for")
        finally:
            connection.close()

    @property
    def run(self) -> str:
        return f"/run/sockwake/{self.name}"


def make(name: str, *options: str, version: str = "18", enable: bool = True) -> Instance:
    """Make an instance that sleeps after a second, and wait until it does."""
    command = ["sockwake-new", name, "--version", version, *"--idle 1s --json".split(), *options]
    if enable:
        command.append("--enable")
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"{' '.join(command)} failed: {done.stderr.strip()}")
    facts = json.loads(done.stdout)
    await_asleep([name], PATTERNS)
    return Instance(name, facts["port"], read(facts["password_file"]).strip())
