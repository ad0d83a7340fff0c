"""The recipe people build by hand, set up from the files in recipe/."""

from __future__ import annotations

import glob
import os
import secrets
import shutil
import subprocess
import time

import postgres_client
import psql
from traces import BenchError, read

HOME = "/var/lib/recipe"
HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "recipe")
PATTERNS = ("recipe.service", "recipe-db.service", "recipe-detached.service")
PUBLISHED = ("127.0.0.1", 55432)
FIRST_START_S = 60.0


def install() -> None:
    """Units, compose project, and a cluster that is initialised and down."""
    os.makedirs(f"{HOME}/data")
    descriptor = os.open(f"{HOME}/password", os.O_WRONLY | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(16))
    shutil.copy(f"{HERE}/compose.yaml", HOME)
    for unit in (*glob.glob(f"{HERE}/*.socket"), *glob.glob(f"{HERE}/*.service")):
        shutil.copy(unit, "/etc/systemd/system")
    _compose("up", "--detach")
    _await_cluster()
    _compose("down")
    subprocess.run(["systemctl", "daemon-reload"], check=True)
    subprocess.run(["systemctl", "start", "recipe.socket", "recipe-detached.socket"], check=True)


def password() -> str:
    return read(f"{HOME}/password")


class Recipe:
    """One variant of the recipe, by the name of its units and its port."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.port = port
        self.refusals: list[int] = []

    def cold(self) -> float:
        """A psql that wakes it; raises BenchError for the answer that is none."""
        self._listen()
        return psql.row_ms(self.port, password())

    def until_answered(self) -> float:
        """Milliseconds until a client that retries has its row; notes how often it was refused."""
        self._listen()
        before = time.perf_counter()
        refused = 0
        while True:
            try:
                psql.row_ms(self.port, password())
            except BenchError:
                refused += 1
                if time.perf_counter() - before > psql.ANSWER_TIMEOUT_S:
                    raise
            else:
                self.refusals.append(refused)
                return 1000 * (time.perf_counter() - before)

    def _listen(self) -> None:
        """Its socket may have failed with its service; opening it again is not measured."""
        subprocess.run(
            ["systemctl", "reset-failed", f"{self.name}.service"], check=False, capture_output=True
        )
        subprocess.run(["systemctl", "start", f"{self.name}.socket"], check=True)


def _compose(*arguments: str) -> None:
    done = subprocess.run(
        ["docker-compose", *arguments], check=False, cwd=HOME, capture_output=True, text=True
    )
    if done.returncode:
        raise BenchError(f"docker-compose {arguments[0]} failed: {done.stderr.strip()}")


def _await_cluster() -> None:
    deadline = time.monotonic() + FIRST_START_S
    while True:
        try:
            postgres_client.first_row(PUBLISHED, password())
            return
        except postgres_client.ClientError as error:
            if time.monotonic() > deadline:
                raise BenchError(
                    f"the recipe's cluster was not there in {FIRST_START_S:.0f} s: {error}"
                ) from None
            time.sleep(0.2)
