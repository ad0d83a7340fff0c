"""A machine that is booted from an image, and what a client gets of it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

MACHINE = str(Path(__file__).resolve().parents[1] / "machine/machine")
BENCH = Path(__file__).resolve().parents[1] / "bench"
CLIENT = """\
import sys
sys.path.insert(0, "/bench")
sys.dont_write_bytecode = True
from postgres_client import Connection
from subprocess import run
said = run(["sockwake", "dsn", "--password", "shop"], capture_output=True, text=True, check=True)
password = said.stdout.split("@")[0].rpartition(":")[2]
connection = Connection(("127.0.0.1", int(sys.argv[1])), password)
print(connection.query(sys.argv[2]))
"""
# of systemd: it would wait two minutes for a network that is not there
NO_NETWORK = "/etc/systemd/system/systemd-networkd-wait-online.service"
PORT = 25432  # the first that sockwake-new takes


class Clone:
    """A machine that is a copy of an image, without a network."""

    def __init__(self, image: Path, number: str) -> None:
        self.name = f"baked-{os.getpid()}-{number}"
        self._image = image

    def boot(self, *binds: str, options: tuple[str, ...] = ()) -> None:
        """Boot it for the first time.

        binds: SOURCE:PLACE of what else it sees. options: more of systemd-nspawn.
        """
        binds = (f"{BENCH}:/bench", f"/dev/null:{NO_NETWORK}", *binds)
        more = [word for bind in binds for word in ("--bind-ro", bind)]
        more += [f"--nspawn={option}" for option in options]
        self.machine(
            "boot", self.name, "--tree", str(self._image), "--with-parent", "--in-memory", *more
        )

    def reboot(self) -> None:
        self.machine("reboot", self.name)

    def stop(self) -> None:
        """Take it away, with all that was in it."""
        self.machine("stop", self.name)

    def run(self, *command: str, status: int = 0) -> str:
        """Run a command in it, which has to end with this status; returns its output."""
        return self.machine("run", self.name, "--", *command, status=status)

    def ask(self, sql: str) -> str:
        """The first column of the first row that a client gets who connects to the port."""
        return self.run("python3", "-c", CLIENT, str(PORT), sql).strip()

    def password(self) -> str:
        return self.run("cat", "/etc/sockwake/shop/password").strip()

    def status(self) -> str:
        return self.run("sockwake", "status", "shop")

    def machine(self, *argv: str, status: int = 0) -> str:
        """Call the tool for machines; AssertionError when it ends with another status."""
        done = subprocess.run(
            [MACHINE, *argv],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == status, f"{argv}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout
