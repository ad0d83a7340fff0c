"""An ordinary user of the machine, with a user manager and a podman, and the user's instances."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from moment import until, until_gone
from program import PATIENCE, Ran, must, run
from service import is_written_down
from webshop import NGINX

NAME = "user"
KEPT = "SOCKWAKE_CLUSTERS"  # what a machine keeps for its next file of tests is there
WEB = ("--kind", "container", "--image", NGINX, "--container-port", "80", "--network", "none")


class Account:
    """The user, as after a login without a terminal."""

    def __init__(self, name: str = NAME) -> None:
        entry = pwd.getpwnam(name)
        self.name = name
        self.home = Path(entry.pw_dir)
        self.uid = entry.pw_uid
        self.runtime = Path(f"/run/user/{entry.pw_uid}")
        self._environment = {"HOME": str(self.home), "XDG_RUNTIME_DIR": str(self.runtime)}

    def run(
        self,
        *argv: str,
        env: Mapping[str, str] | None = None,
        cwd: str = "",
        timeout: float = PATIENCE,
    ) -> Ran:
        environment = {**self._environment, **(env or {})}
        return run(
            *argv, user=self.name, env=environment, cwd=cwd or str(self.home), timeout=timeout
        )

    def run_with_the_journal(self, *argv: str) -> Ran:
        """Run a program as one of those who may read a journal that is kept in memory alone."""
        who = ("runuser", "-u", self.name, "-G", "systemd-journal", "--")
        return run(*who, *argv, env=self._environment, cwd=str(self.home))

    def must(self, *argv: str, timeout: float = PATIENCE) -> str:
        return self.run(*argv, timeout=timeout).expect(0).out

    def linger(self) -> None:
        """Have systemd run the user's units without a login."""
        run("loginctl", "enable-linger", self.name).expect(0)
        self._await()

    def start_anew(self) -> None:
        """Restart the user's systemd, as a logout and a login would."""
        run("systemctl", "restart", f"user@{self.uid}.service").expect(0)
        self._await()

    def _await(self) -> None:
        until(
            f"systemd runs for {self.name}",
            lambda: self.run("systemctl", "--user", "is-system-running").out.strip() == "running",
            timeout=90,
        )

    def stop_lingering(self) -> None:
        """Stop the user's systemd, as the last logout would."""
        run("loginctl", "disable-linger", self.name).expect(0)
        run("systemctl", "stop", f"user@{self.uid}.service").expect(0)

    def load(self, *images: str) -> None:
        """Copy images from the system's Docker to the user's podman, if it has them not."""
        if all(self.run("podman", "image", "exists", image).status == 0 for image in images):
            return
        archive = self.home / "images.tar"
        try:
            must("docker", "save", "--output", str(archive), *images, timeout=300)
            archive.chmod(0o644)
            self.must("podman", "load", "--quiet", "--input", str(archive), timeout=300)
        finally:
            archive.unlink(missing_ok=True)

    @contextmanager
    def instances(self) -> Iterator[MakeOwn]:
        """A function make(NAME, OPTION…, command=…); what it has made is removed in the end."""
        names: list[str] = []

        def make(name: str, *options: str, command: str = "") -> Own:
            names.append(name)
            new = ("sockwake-new", name, "--user", "--idle", "1s", "--enable", *options)
            self.must(*(("bash", "-c", command) if command else new), timeout=120)
            return Own(self, name)

        yield make
        for name in names:
            units = (f"pg-proxy@{name}.socket", f"pg-proxy@{name}.service")
            self.run("systemctl", "--user", "stop", *units)
            self.run("sockwake", "rm", "--user", "--purge", name, timeout=120)

    def containers(self, *options: str) -> list[str]:
        return self.must("podman", "ps", *options, "--format={{.Names}}").split()

    def left(self) -> list[str]:
        """What a test may not leave behind."""
        places = (
            self.home / ".config/sockwake",
            self.home / ".local/share/sockwake",
            self.runtime / "sockwake",
        )
        units = self.must(
            "systemctl", "--user", "list-units", "--all", "--no-legend", "--plain", "pg-*@*"
        )
        links = (self.home / ".config/systemd/user").glob("*.wants/pg-*@*")
        files = [str(entry) for place in places if place.is_dir() for entry in place.iterdir()]
        return [*files, *map(str, links), *units.splitlines(), *self.containers("--all")]


class Own:
    """One instance of the user."""

    def __init__(self, account: Account, name: str) -> None:
        self.account = account
        self.name = name
        self.etc = account.home / ".config/sockwake" / name
        self.data = account.home / ".local/share/sockwake" / name
        self.socket, self.proxy, self.backend = (
            f"pg-proxy@{name}.socket",
            f"pg-proxy@{name}.service",
            f"pg-postgres@{name}.service",
        )

    @property
    def port(self) -> int:
        found = re.search(r"^PORT=(\d+)$", (self.etc / "instance.env").read_text(), re.MULTILINE)
        assert found
        return int(found.group(1))

    def psql(self, sql: str, *, env: Mapping[str, str] | None = None) -> Ran:
        """One client on the host, whatever becomes of it."""
        password = (self.etc / "password").read_text().strip()
        argv = (*"psql -h 127.0.0.1 -U postgres -XAtc".split(), sql, "-p", str(self.port))
        return run(*argv, env={"PGPASSWORD": password, **os.environ, **(env or {})})

    def answer(self, sql: str) -> str:
        return self.psql(sql).expect(0).out.strip()

    def property(self, unit: str, name: str) -> str:
        return self.account.must(
            "systemctl", "--user", "show", "--value", f"--property={name}", unit
        ).strip()

    def journal(self) -> str:
        """Everything its units have logged, with all of its last wake."""
        files = self.account.runtime / "sockwake" / self.name
        until(
            f"the wake of {self.name} is written down",
            lambda: is_written_down(files, self.property(self.backend, "ActiveState")),
        )
        must("journalctl", "--sync")
        return must(
            "journalctl",
            "--output=cat",
            "--no-pager",
            f"_UID={self.account.uid}",
            f"_SYSTEMD_USER_UNIT={self.backend}",
        )

    def asleep(self) -> None:
        """Wait until nothing but the socket is left."""
        units = (self.proxy, self.backend)
        until_gone(
            f"{self.name} is asleep",
            lambda: {self.property(unit, "ActiveState") for unit in units} != {"inactive"}
            or self.account.containers(),
            40,
            every=0.25,
        )
        assert self.property(self.socket, "ActiveState") == "active"


MakeOwn = Callable[..., Own]


@contextmanager
def logged_in(*images: str) -> Iterator[Account]:
    """The user with a running systemd, and a podman that has these images."""
    one = Account()
    one.linger()
    one.load(*images)
    one.must("systemctl", "--user", "enable", "--now", "podman.socket")
    yield one
    if KEPT not in os.environ:  # else the machine is thrown away
        one.run("podman", "system", "reset", "--force", timeout=120)
    one.stop_lingering()
