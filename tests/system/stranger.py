"""Connections that are no client's: port scans, health checks, silence; and their traces."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import redis_server
from account import Own
from database import Database
from program import must, run
from service import Service
from web import get


def knock(service: Service | Own, said: bytes = b"") -> None:
    """Connect, say little or nothing, and hang up as a port scanner or a TCP health check does."""
    with socket.create_connection(("127.0.0.1", service.port), 5) as sock:
        sock.sendall(said)


def knock_and_reset(service: Service) -> None:
    with socket.create_connection(("127.0.0.1", service.port), 5) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def say_nothing(service: Service, said: bytes = b"") -> float:
    """Connect, wait until the other end hangs up, and return the seconds that took."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", service.port), 60) as sock:
        sock.sendall(said)
        with suppress(ConnectionResetError):
            assert sock.recv(1) == b""
    return time.monotonic() - began


@contextmanager
def knocking(service: Service | Own, every: float) -> Iterator[None]:
    """Have a health check connect and close every so many seconds."""
    enough = threading.Event()

    def go_on() -> None:
        while not enough.wait(every):
            knock(service)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()


def wakes(service: Service) -> int:
    return service.journal(f"--unit={service.backend}").count("woken by")


def turned_away(service: Service) -> int:
    return service.journal(
        f"--unit={service.backend}", f"--unit=pg-wanted@{service}.service"
    ).count("turned away")


def sleeps(service: Service) -> int:
    """How often it has fallen asleep, by its journal: with health checks its units never rest.

    Asked for again and again without a pause, it would take an idle check the time between two of
    them.
    """
    time.sleep(0.3)
    return service.journal(f"--unit={service.backend}").count("sockwake: asleep")


def ask(service: Service) -> None:
    """Be a client of any kind of instance, and be served."""
    if isinstance(service, Database):
        assert service.psql() == "1"
    elif service.setting("KIND") == "command":
        assert redis_server.ask(service, "ping") == "PONG"
    else:
        assert get(service.port).status == 200


def drop_in(service: Service, text: str) -> None:
    folder = Path(f"/run/systemd/system/{service.socket}.d")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "test.conf").write_text(f"[Socket]\n{text}")
    must("systemctl", "daemon-reload")
    must("systemctl", "restart", service.socket)


@contextmanager
def shortening() -> Iterator[Callable[[Service], None]]:
    """A function that has the kernel wait for a client's first word for 3 s, until the end."""
    known: list[Service] = []

    def shorten(service: Service) -> None:
        known.append(service)
        drop_in(service, "DeferAcceptSec=3\n")

    yield shorten
    for each in known:
        run("rm", "-r", f"/run/systemd/system/{each.socket}.d")
    must("systemctl", "daemon-reload")
