"""The ports of a project on their way to being served."""

from __future__ import annotations

import socket
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from sockwake.config.endpoint import Endpoint
from sockwake.lifecycle.project import Doors, place


class Prompt(threading.Thread):
    """One that is done, if it can be, before the next is started, as on a busy machine."""

    def start(self) -> None:
        super().start()
        self.join(0.1)


def test_each_port_has_its_time_though_the_first_answers_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threading, "Thread", Prompt)
    with socket.create_server(("127.0.0.1", 0)) as served, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        ports = [sock.getsockname()[1] for sock in (served, closed)]
        services: Any = SimpleNamespace(runs={"web": SimpleNamespace(addresses=["127.0.0.1"])})
        settings: Any = SimpleNamespace(
            ready="tcp", ports=tuple(Endpoint("::", port, "web", port) for port in ports)
        )
        doors = Doors(services, settings, time.monotonic() + 0.5)
        given_up = threading.Event()
        doors.follow(lambda: given_up.set() if doors.are_given_up else None)
        assert given_up.wait(10), "its clients would wait for ever"
        assert doors.closed == [("web", ports[1])]


@pytest.mark.parametrize(
    ("address", "said"),
    [("172.18.0.2", "172.18.0.2:80"), ("fd00::2", "fd00::2:80"), ("", "0.0.0.0:0")],
)
def test_an_address_is_as_the_proxy_splits_it(address: str, said: str) -> None:
    """systemd-socket-proxyd looks up all before the last colon, and knows no brackets."""
    run: Any = SimpleNamespace(address=address)
    assert place(run, 80) == said
