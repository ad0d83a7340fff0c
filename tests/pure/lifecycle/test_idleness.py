"""What a look finds: the clients, how long all were silent, and what has happened since."""

import os
import socket
import time
from collections.abc import Callable

import pytest

from child import await_rest
from env_file import NATIVE, env, text_of
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.lifecycle import idleness, runtime
from sockwake.lifecycle.idleness import FOREVER
from sockwake.system import files, ss
from tree import Tree

Says = Callable[..., None]


@pytest.fixture
def ss_says(monkeypatch: pytest.MonkeyPatch) -> Says:
    """ss_says(MILLISECONDS...): ss shows connections with a last byte that long ago."""

    def say(*ages: int) -> None:
        lines = [f"ESTAB 0 0 127.0.0.1:1 127.0.0.1:2 lastsnd:{age} lastrcv:{age}" for age in ages]
        monkeypatch.setattr(ss, "each", lambda *_: map(ss.Connection, lines))

    say()
    return say


def made(tree: Tree, text: str) -> tuple[Instance, Settings]:
    instance = tree.write_env("pg1", text)
    runtime.prepare(instance)
    return instance, Settings(text, instance)


def at(listener: socket.socket) -> dict[str, str]:
    return {"PORT": str(listener.getsockname()[1])}


def test_a_proxy_that_has_left_has_found_silence_itself(tree: Tree) -> None:
    assert idleness.look(*made(tree, env()), 0).silent == FOREVER


def test_clients_are_counted_and_a_newcomer_is_told_from_them(
    tree: Tree, listener: socket.socket
) -> None:
    instance, settings = made(tree, env(**at(listener)))
    with socket.create_connection(listener.getsockname()):
        seen = idleness.look(instance, settings, os.getpid())
        assert (seen.connections, len(seen.known)) == (1, 1)
        assert not idleness.has_newcomers(settings, seen)
        with socket.create_connection(listener.getsockname()):
            assert idleness.has_newcomers(settings, seen)


def test_silence_counts_from_the_look_that_first_found_the_state(tree: Tree) -> None:
    instance, _ = made(tree, env())
    assert idleness.since_change(instance, "one") == 0
    time.sleep(0.05)
    assert idleness.since_change(instance, "one") >= 0.05
    assert idleness.since_change(instance, "another") == 0
    idleness.forget_change(instance)
    assert idleness.since_change(instance, "another") == 0


def test_a_proxy_that_has_not_run_since_a_look_has_carried_nothing(tree: Tree) -> None:
    instance, settings = made(tree, env(LISTEN="/run/nobody/s"))
    child = os.fork()
    if not child:
        time.sleep(60)
        os._exit(0)
    try:
        await_rest(child)
        assert idleness.look(instance, settings, child).silent == 0
        time.sleep(0.05)
        seen = idleness.look(instance, settings, child)
        assert seen.silent >= 0.05
        assert not idleness.has_carried(instance, settings, seen, child)
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def test_where_clients_are_noted_the_last_one_s_end_counts_and_not_what_the_proxy_runs_for(
    tree: Tree, ss_says: Says
) -> None:
    instance, settings = made(tree, env())
    assert idleness.since_last_client(instance) is None
    files.replace_volatile(instance.last_visit, f"{time.monotonic() - 100:017.3f}\n")
    seen = idleness.look(instance, settings, os.getpid())
    assert 100 <= seen.silent < 110
    ss_says(300_000)
    assert 100 <= idleness.look(instance, settings, os.getpid()).silent < 110
    assert not idleness.has_carried(instance, settings, seen, os.getpid())


def test_a_byte_of_one_that_is_connected_counts_before_the_note(tree: Tree, ss_says: Says) -> None:
    instance, settings = made(tree, env())
    files.replace_volatile(instance.last_visit, f"{time.monotonic() - 100:017.3f}\n")
    ss_says(300_000, 7_000)
    seen = idleness.look(instance, settings, os.getpid())
    assert seen.silent == 7
    assert not idleness.was_spoken_to(settings, seen)
    ss_says(300_000, 0)
    assert idleness.has_carried(instance, settings, seen, os.getpid())


def test_a_program_that_takes_its_clients_itself_is_silent_since_none_was_there(
    tree: Tree, listener: socket.socket, ss_says: Says
) -> None:
    instance, settings = made(tree, text_of(NATIVE, **at(listener)))
    assert idleness.look(instance, settings, 0).silent == 0
    time.sleep(0.05)
    assert 0.05 <= idleness.look(instance, settings, 0).silent < 5
    with socket.create_connection(listener.getsockname()):
        ss_says(7_000)
        assert idleness.look(instance, settings, 0).silent == 7
    ss_says()
    listener.accept()[0].close()
    assert idleness.look(instance, settings, 0).silent == 0, "since it left"


def test_of_a_unix_socket_no_byte_is_known(tree: Tree, ss_says: Says) -> None:
    _, settings = made(tree, env(LISTEN="127.0.0.1,/run/nobody/s"))
    ss_says(300_000)
    assert idleness.since_last_byte(settings) == 0
