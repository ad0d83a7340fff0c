"""The instances of one test: made with sockwake-new, and removed with their data after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest

import figures
from database import Database
from program import run
from service import Service

Make = Callable[..., Database]
Know = Callable[[str], Database]
KnowService = Callable[[str], Service]
MakeService = Callable[..., Service]
MakeSleeper = Callable[..., Service]
S = TypeVar("S", bound=Service)

# exit statuses of sockwake: while clients are connected, and when there is no such instance
IN_USE, UNKNOWN = 4, 5


def runtime_of(request: pytest.FixtureRequest, options: tuple[str, ...]) -> tuple[str, ...]:
    """The option that has an engine wake a container where the test's marks ask for one."""
    is_asked = request.node.get_closest_marker("engine") and "--runtime" not in options
    return ("--runtime", "engine") if is_asked else ()


class Instances:
    """Known before they are made, so that they are removed wherever the test ends."""

    def __init__(self) -> None:
        self._services: list[Service] = []
        self._problems: list[str] = []

    def know(self, service: S) -> S:
        """Remove it after the test, which makes it by itself, however far it came."""
        self._services.append(service)
        return service

    def make(self, service: S, *options: str, idle: str, enable: bool) -> S:
        """Make it with sockwake-new; AssertionError when that fails."""
        enabled = ["--enable"] if enable else []
        ran = run("sockwake-new", self.know(service).name, "--idle", idle, *enabled, *options)
        service.made = ran.expect(0)
        return service

    def remove(self) -> None:
        """Remove them now; what goes wrong is told by take_away()."""
        self._problems += self.take_away()
        self._services.clear()

    def take_away(self) -> list[str]:
        """Remove them with their data; returns what went wrong, a failed socket included."""
        problems = self._problems
        self._problems = []
        for service in reversed(self._services):
            if service.state(service.socket) == "failed":
                figures.count("sockets left failed")
                problems.append(f"{service.socket} is left failed:\n{service.journal()}")
            remove = ("sockwake", "rm", service.name, "--purge")
            removed = run(*remove, timeout=120)
            if removed.status == IN_USE:  # clients are connected
                units = (service.socket, service.proxy, service.backend)
                run("systemctl", "stop", *units, timeout=120)
                removed = run(*remove, timeout=120)
            if removed.status not in (0, UNKNOWN):
                problems.append(str(removed))
        return problems
