"""One instance under test, seen from outside: files, units, port and processes."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import docker_engine
import units
from moment import until, until_gone
from program import Ran, must, run

FIRST_PORT = 25432
_FALLS_ASLEEP = 0.25  # seconds; every IDLE is longer


class Service:
    """The instance NAME of any kind; its files are read each time, as tests edit them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.etc = Path("/etc/sockwake") / name
        self.run = Path("/run/sockwake") / name
        self.socket = f"pg-proxy@{name}.socket"
        self.proxy = f"pg-proxy@{name}.service"
        self.backend = f"pg-postgres@{name}.service"
        self.check = f"pg-check@{name}.timer"
        self.look = f"pg-check@{name}.service"
        self.wanted = f"pg-wanted@{name}.service"
        self.container = f"sockwake-{name}"
        self.made = Ran((), 0, "", "")  # sockwake-new's own answer
        self._cursor = (
            must("journalctl", "--lines=0", "--show-cursor").strip().rpartition("cursor: ")[2]
        )

    def __repr__(self) -> str:
        return self.name

    # what it is

    def setting(self, key: str) -> str:
        """One value of instance.env."""
        found = re.search(rf"^{key}=(.*)$", (self.etc / "instance.env").read_text(), re.MULTILINE)
        return found.group(1) if found else ""

    @property
    def port(self) -> int:
        return int(self.setting("PORT"))

    @property
    def data(self) -> Path:
        return Path(self.setting("DATA") or f"/var/lib/sockwake/{self.name}")

    @property
    def is_native(self) -> bool:
        return self.setting("KIND") == "native"

    @property
    def is_bundled(self) -> bool:
        """Whether crun wakes it, in the unit's own cgroup."""
        return self.setting("RUNTIME") == "crun"

    @property
    def failed(self) -> bool:
        """Whether its last start has; what the proxy then lives in stays until the next."""
        return (self.run / "failure").exists()

    # files

    def set(self, key: str, value: str) -> None:
        """Change one value of instance.env, as an editor would."""
        path = self.etc / "instance.env"
        path.write_text(
            re.sub(rf"^{key}=.*$", f"{key}={value}", path.read_text(), flags=re.MULTILINE)
        )

    def edit(self, file: str, old: str, new: str) -> None:
        """Change one of its files."""
        path = self.etc / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))

    # state

    def open(self) -> None:
        """What sockwake-new says to do next."""
        must("systemctl", "enable", "--now", self.socket)

    def state(self, unit: str) -> str:
        return units.active_state(unit)

    def property(self, unit: str, name: str) -> str:
        return must("systemctl", "show", "--value", f"--property={name}", unit).strip()

    def main_pid(self, unit: str) -> int:
        return units.main_pid(unit)

    def kill(self, unit: str) -> None:
        """kill -9 the main process of a unit."""
        pid = self.main_pid(unit)
        assert pid > 1, f"{unit} has no process"
        os.kill(pid, signal.SIGKILL)

    def server_pid(self) -> int:
        """The first process of its container, 0 when it does not run."""
        if self.is_bundled:
            return next(filter(is_first, self._own_pids()), 0)
        shown = run("docker", "inspect", "--format", "{{.State.Pid}}", self.container)
        return int(shown.out) if shown.status == 0 else 0

    def is_listening(self) -> bool:
        return self.state(self.socket) == "active"

    def is_awake(self) -> bool:
        return self.state(self.backend) == "active"

    def ls(self, *, settled: bool = True) -> dict[str, object]:
        """Its row in ls --json. settled: with all that a wake writes beside its client."""
        if settled:
            self.settle()
        return next(
            row for row in json.loads(must("sockwake", "ls", "--json")) if row["name"] == self.name
        )

    def has_failed(self, why: str) -> bool:
        """Whether ls tells that its socket has failed, and that this is why."""
        row = self.ls()
        return row["state"] == "failed" and str(row.get("error")).startswith(why)

    def exposure(self, unit: str) -> float:
        """What systemd thinks of the sandbox of a unit: 0 is closed, 10 is none."""
        said = must("systemd-analyze", "security", "--no-pager", unit)
        return float(said.rpartition("Overall exposure level")[2].split(":")[1].split()[0])

    def await_awake(self) -> None:
        until(f"{self.name} is awake", lambda: (self.run / "ready").exists())

    def asleep(self, timeout: float = 40.0, backend: tuple[str, ...] = ("inactive",)) -> None:
        """Wait until nothing but the socket is left. backend: the states its unit may be in."""
        what = f"{self.name} is asleep"
        until_gone(what, lambda: self._not_asleep(backend), timeout, every=_FALLS_ASLEEP)
        assert self.is_listening(), f"{self.socket} is {self.state(self.socket)}"

    def put_to_sleep(self) -> None:
        """Stop it, where a test is not about that: its next check may be half a minute away."""
        must("systemctl", "stop", self.proxy, self.backend)
        self.asleep()

    def _not_asleep(self, backend: tuple[str, ...]) -> list[str]:
        if (self.run / "ready").exists():  # what follows is a process for each look
            return ["its server is ready"]
        ended = ("inactive", "failed")  # of one that was killed until its next start
        allowed = {self.proxy: ("inactive",), self.backend: backend, self.wanted: ended}
        states = {unit: units.active_state(unit) for unit in allowed}
        awake = [
            f"{unit} is {state}" for unit, state in states.items() if state not in allowed[unit]
        ]
        if awake:  # what follows costs more, and would show the same
            return awake
        if jobs := [f"{unit} has a job" for unit in allowed if units.job(unit)]:
            return jobs  # one waits for another to start
        timer = units.active_state(self.check)
        mounts = Path("/proc/mounts").read_text()
        return [
            *self.processes(),
            *([f"{self.check} is {timer}"] if timer != "inactive" else []),
            *(line for line in mounts.splitlines() if f"{self.run}/" in line and not self.failed),
        ]

    def processes(self) -> list[str]:
        """Every process of the instance: of its units, of its containers, and their shims."""
        name = f"^/?{self.container}"
        of_all = "/containers/json?all=1"
        listed = [] if self.is_bundled else docker_engine.listed(of_all, name=name)
        ids = [each["Id"] for each in listed]
        return [
            f"{pid} {' '.join(argv)[:120]}"
            for pid, cgroup, argv in _processes()
            if re.search(rf"/pg-(proxy|postgres|check|wanted)@{self.name}\.service", cgroup)
            or any(key in cgroup or key in argv for key in ids)
        ]

    def _own_pids(self) -> list[int]:
        """The processes of its backend's unit."""
        return [pid for pid, cgroup, _ in _processes() if f"/{self.backend}" in cgroup]

    # journal

    def settle(self) -> None:
        """Wait until a wake that has served a client has written down all that it will.

        It does so beside the client: in the journal, in the files of /run, for status and ls.
        """
        until(
            f"the wake of {self.name} is written down",
            lambda: is_written_down(self.run, self.state(self.backend)),
        )

    def journal(self, *matches: str) -> str:
        """What its units have said since this object was made, with all of its last wake."""
        self.settle()
        must("journalctl", "--sync")
        return must(
            "journalctl",
            f"--after-cursor={self._cursor}",
            "--output=cat",
            "--no-pager",
            *(
                matches
                or (f"--unit={self.proxy}", f"--unit={self.backend}", f"--unit={self.socket}")
            ),
        )

    def await_journal(self, text: str, *matches: str) -> None:
        until(f"{text!r} is in the journal", lambda: text in self.journal(*matches))


def is_written_down(run: Path, backend: str) -> bool:
    """Whether no wake has still to say what it did. run: the instance's, backend: its unit's state.

    The proxy goes ahead when there is "ready"; "wakes" is written last. A native program may serve
    clients before both, but systemd does not call it active before they are there.
    """
    try:
        ready = (run / "ready").stat().st_mtime_ns
    except FileNotFoundError:
        return backend != "activating"
    try:
        return (run / "wakes").stat().st_mtime_ns >= ready
    except FileNotFoundError:
        return False


def is_first(pid: int) -> bool:
    """Whether a process is process 1 of a pid namespace of its own."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    return bool(re.search(r"^NSpid:.*\s1$", status, re.MULTILINE))


def _processes() -> list[tuple[int, str, list[str]]]:
    """(process id, cgroup, argv) of everything that runs."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                cgroup = Path(f"/proc/{entry}/cgroup").read_text()
                argv = (
                    Path(f"/proc/{entry}/cmdline").read_bytes().decode(errors="replace").split("\0")
                )
            except OSError:
                continue
            found.append((int(entry), cgroup, argv))
    return found
