"""Docker's engine under other settings, and restarted as often as tests need it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from program import must

SETTINGS = Path("/etc/docker/daemon.json")


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
