"""A server that is stopped between its readiness and the first question is not called silent."""

import socket
from pathlib import Path

import pytest

from daemon import frame
from env_file import env, settings
from sockwake.config.instance import Instance, Name
from sockwake.engine.api import Engine
from sockwake.engine.container import Container
from sockwake.errors import SockwakeError
from sockwake.lifecycle import readiness
from sockwake.postgres import postmaster
from tree import Tree


def test_its_end_is_the_error_and_its_last_words_are_kept(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = Instance(Name("pg1"))
    ours, theirs = socket.socketpair()
    container = Container("sockwake-pg1", Engine(f"{tmp_path}/none"), ours.detach())

    def is_settled(_: int) -> bool:
        theirs.sendall(frame(b"database system is shut down\n"))
        theirs.close()
        return True

    monkeypatch.setattr(postmaster, "listener", lambda _: 1)
    monkeypatch.setattr(postmaster, "is_main_process", lambda _: True)
    monkeypatch.setattr(postmaster, "is_settled", is_settled)
    said: list[bytes] = []
    with pytest.raises(SockwakeError, match="its container is gone") as caught:
        readiness.await_ready(container, instance, settings(env()), said.append)
    assert caught.value.said == "database system is shut down" and said
