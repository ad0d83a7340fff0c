"""The watcher's eyes: what it waits for, and a proxy that nobody came through."""

import os
import socket
from pathlib import Path

import pytest
from test_settings import env
from tree import Tree

from sockwake import runtime
from sockwake.instance import Instance
from sockwake.watcher import Forsaken, readable


def awake(tree: Tree, port: int) -> Instance:
    instance = tree.write_env("pg1", env(PORT=str(port)))
    runtime.prepare(instance)
    runtime.replace(instance.ready_file, "60 /backend\n")
    return instance


def test_what_can_be_read_or_has_ended_is_told_and_what_is_closed_is_passed_over() -> None:
    (quiet, silent), (full, writer), (ended, gone) = os.pipe(), os.pipe(), os.pipe()
    os.write(writer, b"x")
    os.close(gone)
    assert readable(quiet, full, ended, -1) == {full, ended}
    assert readable(quiet, timeout=0) == set()
    for fd in (quiet, silent, full, writer, ended):
        os.close(fd)


@pytest.mark.parametrize("timeout", [30 * 86400, 10**9])
def test_an_idle_time_of_months_is_no_error(timeout: int) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"x")
    assert readable(reader, timeout=timeout) == {reader}
    os.close(reader)
    os.close(writer)


def test_a_proxy_that_nobody_uses_is_knocked_at_by_the_second_look(tree: Tree) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.settimeout(0)
        forsaken = Forsaken(awake(tree, proxy.getsockname()[1]), 62)
        forsaken.look()
        with pytest.raises(BlockingIOError):
            proxy.accept()
        forsaken.look()
        proxy.accept()[0].close()


def test_a_proxy_with_a_client_is_left_alone(tree: Tree) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy, socket.create_connection(proxy.getsockname()):
        visitor = proxy.accept()[0]
        proxy.settimeout(0)
        forsaken = Forsaken(awake(tree, proxy.getsockname()[1]), 62)
        for _ in range(3):
            forsaken.look()
        with pytest.raises(BlockingIOError):
            proxy.accept()
        visitor.close()


def test_settings_that_cannot_be_read_meanwhile_are_no_reason_to_end(tree: Tree) -> None:
    instance = awake(tree, 1)
    forsaken = Forsaken(instance, 62)
    Path(instance.env_file).write_text("nonsense")
    forsaken.look()
    forsaken.look()
