"""An instance of each kind, the processes of it that can be ended, and proof that it heals."""

from __future__ import annotations

import os
import signal
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager

import redis_server
from client import Lost, Refused
from database import Database
from instances import Make, MakeService
from moment import until
from program import run
from project import MakeProject, Project
from service import Service
from web import get, staying

WITHIN = 15.0  # seconds in which the next client is served, however often it is told why not before
SIGNALS = tuple(
    signal.Signals[name] for name in ("SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGKILL")
)
_ENDED = ("inactive", "failed")


class Subject(ABC):
    """One instance of any kind."""

    has_container, has_proxy, is_program = True, True, False

    def __init__(self, service: Service) -> None:
        self.service = service

    @abstractmethod
    def ask(self) -> None:
        """Ask once as a client; raises Lost or Refused."""

    @abstractmethod
    def held(self) -> AbstractContextManager[object]:
        """A client that stays connected."""

    # what can be ended

    def victims(self) -> dict[str, Callable[[], list[int]]]:
        """Functions that return the process ids, by the role of the process."""
        one = self.service
        found: dict[str, Callable[[], list[int]]] = {
            "backend": lambda: [one.main_pid(one.backend)],
            "check": self._check,
        }
        if self.has_proxy:
            found["proxy"] = lambda: [one.main_pid(one.proxy)]
        if self.has_container:
            found["server"] = lambda: [one.server_pid()]
        if self.is_program:
            found["monitor"] = lambda: self.running("/watcher --program", "/program await")
        return found

    def _check(self) -> list[int]:
        run("systemctl", "start", "--no-block", self.service.look)
        deadline = time.monotonic() + 1
        while not (pid := self.service.main_pid(self.service.look)) and time.monotonic() < deadline:
            pass
        return [pid]

    def running(self, *words: str) -> list[int]:
        """The processes of the instance that have one of these words in their command."""
        return [
            int(line.split()[0])
            for line in self.service.processes()
            if any(word in line for word in words)
        ]

    # proof

    def serves(self, within: float = WITHIN) -> None:
        """Assert that the next client is served within seconds."""
        deadline = time.monotonic() + within
        while True:
            try:
                return self.ask()
            except (Lost, Refused) as error:
                assert time.monotonic() < deadline, f"its clients are not served: {error}"
                time.sleep(0.2)

    def tells_the_truth(self) -> None:
        until(f"ls says of {self.service} what is so", lambda: not self._lie(), WITHIN)

    def _lie(self) -> str:
        one = self.service
        state, backend = one.ls(settled=False)["state"], one.state(one.backend)
        runs = bool(one.server_pid() if self.has_container else one.main_pid(one.backend))
        if backend in _ENDED and one.state(one.backend) in _ENDED and runs:
            return "it runs, and has no unit"
        return "it is called awake, and does not run" if state == "awake" and not runs else ""

    def sleep(self) -> None:
        """Stop it, and wait until its units have ended."""
        one = self.service
        run("systemctl", "stop", one.backend, one.proxy, timeout=120)  # a client may call it off
        until(
            f"{one} is asleep",
            lambda: one.state(one.backend) in _ENDED and one.state(one.proxy) in _ENDED,
        )


class Postgres(Subject):
    def __init__(self, service: Database) -> None:
        super().__init__(service)
        self.database = service

    def victims(self) -> dict[str, Callable[[], list[int]]]:
        found = super().victims()
        if self.service.is_bundled:
            found["monitor"] = lambda: self.running("/watcher --program", "/program await")
            found["start"] = lambda: self.running("/await --", "/prepare", "/bin/container")
        return found

    def ask(self) -> None:
        with closing(self.database.connect()) as client:
            assert client.value("select 1") == "1"

    @contextmanager
    def held(self) -> Iterator[object]:
        with self.database.at_work() as client:
            yield client


class Container(Subject):
    def victims(self) -> dict[str, Callable[[], list[int]]]:
        found = super().victims()
        if self.service.is_bundled:
            found["monitor"] = lambda: self.running("/watcher --program", "/program await")
            found["start"] = lambda: self.running("/await --", "/prepare", "/bin/container")
            found["relay"] = lambda: self.running(" cat")
        return found

    def ask(self) -> None:
        answer = get(self.service.port, timeout=WITHIN)
        if answer.status != 200:
            raise Lost(str(answer))

    def held(self) -> AbstractContextManager[object]:
        return staying(self.service.port)


class Whole(Container):
    """A project of two services, with a proxy for each of its ports."""

    def __init__(self, service: Project) -> None:
        super().__init__(service)
        self.project = service

    def victims(self) -> dict[str, Callable[[], list[int]]]:
        one = self.project
        return super().victims() | {
            "server": lambda: [one.pid_of("web")],
            "database": lambda: [one.pid_of("db")],
            "proxies": lambda: self.running("systemd-socket-proxyd"),
        }


class Command(Subject):
    has_container, is_program = False, True

    def ask(self) -> None:
        redis_server.ask(self.service, "ping")

    @contextmanager
    def held(self) -> Iterator[object]:
        with socket.create_connection(("127.0.0.1", self.service.port), WITHIN) as client:
            client.sendall(b"PING\r\n")
            client.recv(100)
            yield client


class Native(Container):
    has_container, has_proxy, is_program = False, False, True

    @contextmanager
    def held(self) -> Iterator[object]:
        with socket.create_connection(("127.0.0.1", self.service.port), WITHIN) as client:
            client.sendall(b"GET /drip/60 HTTP/1.0\r\n\r\n")
            client.recv(100)
            yield client


def one_of_each(
    instance: Make, service: MakeService, project: MakeProject, nginx: str, redis: str, program: str
) -> tuple[Subject, ...]:
    """An instance of each kind."""
    return (
        Postgres(instance("--check-every", "1s")),
        Container(service("container", "--image", nginx, "--container-port", "80", name="shop")),
        Command(service("command", "--exec", f"{redis} --port {{port}}", name="cache")),
        Native(service("native", "--exec", program, "--check-every", "1s", name="own")),
        Whole(project("two-services", name="whole")),
    )


def send(pids: list[int], number: int) -> bool:
    """Signal the processes that exist; whether there was one."""
    sent = False
    for pid in pids:
        if pid > 1:
            try:
                os.kill(pid, number)
                sent = True
            except ProcessLookupError:
                pass
    return sent
