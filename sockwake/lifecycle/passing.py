"""A passing unit in which a program of PostgreSQL runs once: of an image, by crun, or of the host.

A unit and no child of ours: with its cgroup goes all that the program has started, and it can be
ended by its name when the process that began it was killed. It is used by lifecycle/programs.py.
"""

from __future__ import annotations

import dataclasses
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.errors import IN_USE, SockwakeError
from sockwake.lifecycle import runtime
from sockwake.postgres import host_server
from sockwake.protocol import postgres
from sockwake.system import deletion, files, process, systemctl, unix_socket

PLACES = "/run/sockwake"  # below which a program sees each place at its own path
_LOCKED = 75  # exit status of flock for a directory that another process has locked
_LOOK_EVERY = 0.05  # seconds between two looks at a server that starts
_ASKS = 5  # after so many looks systemd is asked, too
_SHUTDOWN = 300  # seconds that a server may take to stop
_PATIENCE = 10  # seconds that any other program may take to end
_UNIT = "--quiet --collect --service-type=exec --expand-environment=no"
_LOG = "log"


@dataclass(frozen=True)
class Place:
    """A directory or file of the host's that a program sees; as a word, its path there.

    path: that of the host, without links, which is made visible. below: what is meant in it.
    prefix: what is before the path in its word, as in "--pgdata=". at: where a container is to have
    it, "" for anywhere.
    """

    path: str
    below: str = ""
    prefix: str = ""
    is_writable: bool = True
    at: str = ""


Word = str | Place


@dataclass(frozen=True)
class Run:
    """What is to run. places: what it sees beside those among the words. owner: (uid, gid).

    cwd: where. lock: the data directory that is locked meanwhile, "" for none.
    """

    words: Sequence[Word]
    owner: tuple[int, int]
    places: Sequence[Place] = ()
    cwd: Place | None = None
    lock: str = ""

    @property
    def every_place(self) -> list[Place]:
        cwd = [self.cwd] if self.cwd else []
        return [*(each for each in self.words if isinstance(each, Place)), *self.places, *cwd]


class Passing(ABC):
    """One passing unit of an instance. purpose: a word; of one purpose one runs at a time."""

    def __init__(self, instance: Instance, purpose: str, major: int) -> None:
        self.instance = instance
        self.major = major
        self.purpose = purpose
        self.unit = f"sockwake-programs-{instance.name}-{purpose}.service"
        self.directory = f"{instance.run}/programs/{purpose}"  # for what is made for it

    @abstractmethod
    def program(self, name: str) -> str:
        """The path of a program of PostgreSQL's; raises SockwakeError when there is none."""

    def seen(self, place: Place) -> str:
        """The path at which the program sees a place: none above it keeps its user out."""
        path = place.at or f"{PLACES}{place.path}"
        return f"{path}/{place.below}" if place.below else path

    @abstractmethod
    def unit_of(self, run: Run, words: Sequence[str]) -> tuple[list[str], list[str]]:
        """The properties of the unit, and the command that it runs."""

    @abstractmethod
    def beside(self, program: str, door: Place, owner: tuple[int, int]) -> list[str]:
        """The beginning of a client's command that reaches the server that runs. door: of it."""

    def seen_beside(self, place: Place) -> str:
        """The path at which beside()'s client sees a place that the server sees."""
        return self.seen(place)

    def locked(self, path: str) -> str:
        """Where the unit, and not yet what it becomes, finds the directory that it locks."""
        return path

    def prepare(self) -> None:
        """End what a killed process has left of it, and make its directory; raises SockwakeError.

        Without systemd, and for a user's own instances, there is no such unit.
        """
        if scope.is_user() or self.instance.root or not systemctl.is_running():
            raise SockwakeError(
                f"PostgreSQL's own programs cannot be run for instance '{self.instance.name}'",
                "that takes a systemd that runs, and root",
            )
        self.end()
        runtime.make_directories(self.instance)
        os.makedirs(self.directory, 0o755)

    def run(self, run: Run, *, timeout: float, said: list[str] | None, stdin: str | None) -> str:
        """Run a program until it ends; returns its stdout. See Programs.run()."""
        self.prepare()
        try:
            # as process 1 of a container it may not heed a signal
            stop = f"--property=TimeoutStopSec={_PATIENCE}"
            argv = self._argv(run, "--wait", "--pipe", stop)
            return process.run(argv, timeout=timeout, aside=said, stdin=stdin)
        except process.ProgramError as error:
            if error.returned == _LOCKED and run.lock:
                raise _in_use(run.lock) from None
            name = os.path.basename(str(run.words[0]))
            raise process.ProgramError([name], error.returned, error.output) from None
        finally:
            self.end()

    def start(self, run: Run) -> None:
        """Start a server; raises SockwakeError. Call it after prepare()."""
        log = f"{self.directory}/{_LOG}"
        files.write_new(log, 0o600, "")
        properties = (
            *("KillMode=mixed", "KillSignal=SIGINT", f"TimeoutStopSec={_SHUTDOWN}"),
            *(f"StandardOutput=append:{log}", f"StandardError=append:{log}"),
        )
        process.run(self._argv(run, *(f"--property={each}" for each in properties)))

    def await_server(self, socket: str, user: str, timeout: float) -> None:
        """Return when a server takes queries; raises SockwakeError with what it said.

        socket: the path of its socket. timeout: seconds.
        """
        deadline = time.monotonic() + timeout
        looks = 0
        while time.monotonic() < deadline:
            if _answer(socket, user) in (postgres.TRUSTS, postgres.REFUSES):
                return
            looks += 1
            if not looks % _ASKS and systemctl.active_state(self.unit) not in _UP:
                raise SockwakeError("its server ended before it took queries", said=self._last())
            time.sleep(_LOOK_EVERY)
        raise SockwakeError(f"its server took no queries within {timeout:g} s", said=self._last())

    def end(self) -> None:
        """End it, also one of a process that was killed, and remove what was made for it."""
        end(self.instance, self.purpose)

    def _argv(self, run: Run, *switches: str) -> list[str]:
        words = [
            f"{each.prefix}{self.seen(each)}" if isinstance(each, Place) else each
            for each in run.words
        ]
        properties, command = self.unit_of(run, words)
        nice = os.nice(0)
        if nice > 0:  # as patient as the command that needs it
            properties = [*properties, f"Nice={nice}", "IOSchedulingClass=idle"]
        locked = ["flock", "--nonblock", "--no-fork", "--conflict-exit-code", f"{_LOCKED}"]
        lock = [*locked, self.locked(run.lock)] if run.lock else []
        return [
            "systemd-run",
            *_UNIT.split(),
            f"--unit={self.unit}",
            f"--description=Work on the data of '{self.instance.name}'",
            *(f"--property={each}" for each in properties),
            *switches,
            *lock,
            *command,
        ]

    def _last(self) -> str:
        """The last line of a server that says why it ended."""
        lines = files.text_of(f"{self.directory}/{_LOG}").strip().splitlines()
        grave = [line for line in lines if "FATAL:" in line or "PANIC:" in line]
        return (grave or lines or [""])[-1].strip()


def end(instance: Instance, purpose: str) -> None:
    """End what runs of a purpose, and remove what was made for it."""
    directory = f"{instance.run}/programs/{purpose}"
    if os.path.isdir(directory):
        systemctl.stop(f"sockwake-programs-{instance.name}-{purpose}.service")
        deletion.tree(directory)
        with suppress(OSError):  # another purpose has its own in there
            os.rmdir(os.path.dirname(directory))
            if not os.path.lexists(instance.etc):  # a backup of one that was removed
                os.rmdir(instance.backend)
                os.rmdir(instance.run)


_UP = ("active", "activating")


def _answer(socket: str, user: str) -> str:
    try:
        return postgres.ask(unix_socket.connect(socket, 1), user, "postgres")
    except OSError:
        return postgres.SILENT


def _in_use(lock: str) -> SockwakeError:
    return SockwakeError(f"another instance is using {lock}", status=IN_USE)


class OnHost(Passing):
    """With the programs of the host's own PostgreSQL, in a sandbox."""

    def program(self, name: str) -> str:
        path = f"{host_server.binaries(self.major)}/{name}"
        if not os.access(path, os.X_OK):
            raise SockwakeError(
                f"{name} of PostgreSQL {self.major} is not installed on this host",
                f"apt install postgresql-{self.major}",
            )
        return path

    def unit_of(self, run: Run, words: Sequence[str]) -> tuple[list[str], list[str]]:
        properties = [
            *(f"User={run.owner[0]}", f"Group={run.owner[1]}", "CapabilityBoundingSet="),
            *("NoNewPrivileges=yes", "PrivateNetwork=yes", "PrivateTmp=yes"),
            *("ProtectSystem=strict", "UMask=0077", "Environment=LC_ALL=C"),
            "TemporaryFileSystem=/run:mode=0755",
        ]
        for place in run.every_place:
            kind = "BindPaths" if place.is_writable else "BindReadOnlyPaths"
            where = self.seen(dataclasses.replace(place, below=""))
            properties.append(f"{kind}={_quoted(place.path)}:{_quoted(where)}")
        if run.cwd:
            properties.append(f"WorkingDirectory={self.seen(run.cwd)}")
        return properties, list(words)

    def locked(self, path: str) -> str:
        return self.seen(Place(path))

    def seen_beside(self, place: Place) -> str:
        return f"{place.path}/{place.below}" if place.below else place.path

    def beside(self, program: str, door: Place, owner: tuple[int, int]) -> list[str]:
        return [self.program(program), f"--host={door.path}"]


def _quoted(path: str) -> str:
    """A path in a property of systemd's that splits words."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
