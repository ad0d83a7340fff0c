"""Docker's engine under other settings, and restarted as often as tests need it."""

from __future__ import annotations

import http.client
import json
import socket
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from program import must

SETTINGS = Path("/etc/docker/daemon.json")


class _Connection(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect("/run/docker.sock")


def listed(path: str, **filters: str) -> list[dict[str, Any]]:
    """What its API lists, as "/containers/json?all=1"; its client takes a tenth of a second."""
    said = json.dumps({name: [value] for name, value in filters.items()})
    query = f"{'&' if '?' in path else '?'}filters={urllib.parse.quote(said)}"
    connection = _Connection("docker")
    try:
        connection.request("GET", f"/v1.44{path}{query}")
        answer = connection.getresponse()
        found = json.loads(answer.read())
    finally:
        connection.close()
    assert answer.status == 200, found
    every: list[dict[str, Any]] = found["Volumes"] or [] if path == "/volumes" else found
    return every


def allow_starts() -> None:
    """Reset the engine's start limit, which is three a minute."""
    must("systemctl", "reset-failed", "docker.service")


def restart() -> None:
    """Restart it, however often it was restarted before."""
    allow_starts()
    must("systemctl", "restart", "docker.service", timeout=120)


@contextmanager
def running_with(settings: dict[str, object]) -> Iterator[None]:
    """Run it with these settings alone, and then with those it had."""
    before = SETTINGS.read_text() if SETTINGS.exists() else ""
    SETTINGS.write_text(json.dumps(settings))
    try:
        restart()
        yield
    finally:
        if before:
            SETTINGS.write_text(before)
        else:
            SETTINGS.unlink()
        restart()
