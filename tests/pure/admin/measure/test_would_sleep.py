"""sockwake would-sleep: what connections come to, and what is seen of a real listener."""

import socket
import threading
from pathlib import Path

import pytest

from sockwake.admin.measure import watched, would_sleep
from sockwake.admin.measure.shadow import Shadow
from sockwake.admin.measure.watched import Place, Watch
from sockwake.errors import UNKNOWN, USAGE, SockwakeError
from sockwake.system import memory
from sockwake.system.memory import Memory
from tree import SOCKWAKE, run

HAS = Memory(100, 1000)


def shadow(*looks: tuple[float, str, int], idle: float = 10) -> Shadow:
    """One that was looked at at these times: which connections, and how many came and went."""
    one = Shadow(idle, 0)
    for at, now_open, closed in looks:
        one.look(at, frozenset(now_open), closed, HAS)
    one.end()
    return one


def test_it_would_sleep_an_idle_time_after_its_last_connection() -> None:
    one = shadow((0, "a", 0), (5, "a", 0), (6, "", 0), (20, "", 0), (30, "", 0))
    assert one.sleeps == [(15, 30)] and (one.connections, one.waited) == (1, 0)
    assert (one.memory, one.cache) == (1500, 15000)


def test_a_connection_that_comes_then_would_have_waited() -> None:
    one = shadow((0, "", 0), (15, "", 0), (20, "ab", 0), (21, "", 0), (30, "", 0))
    assert one.sleeps == [(10, 20)]
    assert (one.connections, one.waited, one.asleep, one.longest) == (2, 2, 10, 10)


def test_one_that_came_and_went_between_two_looks_counts() -> None:
    one = shadow((0, "", 0), (15, "", 0), (20, "", 3), (25, "", 0))
    assert (one.connections, one.waited, one.sleeps) == (3, 3, [(10, 20)])


def test_a_connection_that_stays_keeps_it_awake() -> None:
    one = shadow((0, "a", 0), (50, "ab", 0), *((at, "a", 0) for at in range(51, 100)), idle=1)
    one.connections -= 1  # b
    assert (one.sleeps, one.connections, one.waited) == ([], 1, 0)


def test_memory_that_is_not_known_counts_as_none() -> None:
    one = Shadow(1, 0)
    for at in (0, 5):
        one.look(at, frozenset(), 0, None)
    one.end()
    assert (one.memory, one.cache, one.last) == (0, None, None)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--for", "1m"), "say which service"),
        (("22", "--for", "5m"), "nothing can be idle for 5 min within 5 min"),
        (("22", "--for", "soon"), "'soon' is not a time span"),
        (("22", "--for", "infinity"), "'infinity' is no time to wait for"),
        (("22", "--idle", "0"), "'0' is no time to wait for"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(arguments: tuple[str, ...], sentence: str) -> None:
    ran = run(*SOCKWAKE, "would-sleep", *arguments)
    assert (ran.status, ran.stdout) == (USAGE, "") and sentence in ran.stderr


def test_a_port_at_which_nothing_listens_is_refused() -> None:
    with pytest.raises(SockwakeError, match="no program listens on port 1\n") as error:
        watched.find("1")
    assert error.value.status == UNKNOWN


def test_a_listener_s_connections_are_seen_also_those_between_two_looks(
    listener: socket.socket,
) -> None:
    port = listener.getsockname()[1]
    watch = Watch(watched.find(f"{port}"))
    assert watch.look() == (frozenset(), 0)
    with socket.create_connection(("127.0.0.1", port)):
        now_open, closed = watch.look()
        assert (len(now_open), closed) == (1, 0)
        listener.accept()[0].close()
    watch.look()
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", port)):
            listener.accept()[0].close()
    if watch._events >= 0:
        assert watch.look()[1] >= 1


def test_a_unix_socket_is_watched_too(tmp_path: Path) -> None:
    path = f"{tmp_path}/s"
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        watch = Watch(Place(threading.get_native_id(), (), (path,)))
        assert watch.look() == (frozenset(), 0)
        client.connect(path)
        accepted = server.accept()[0]
        assert len(watch.look()[0]) == 1
        accepted.close()


def test_the_sentences_are_those_of_the_numbers() -> None:
    one = would_sleep.Watched("db", Watch(Place(1, (5432,), ())), shadow((0, "", 0), (60, "", 0)))
    said = would_sleep.sentences(one)
    assert said.startswith("db (port 5432): 0 connections in 1 min.")
    assert "it would have slept 1 time, 50 s in all (83 %), 50 s at the longest" in said
    facts = would_sleep.facts(one)
    assert (facts["sleeps"], facts["asleep_seconds"], facts["memory_bytes"]) == (1, 50, 100)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("anon 10\nfile 30\nkernel 5\nshmem 20\n", (30, 10)),
        ("anon 10\n", (10, None)),
        ("anon 10\nfile 5\nshmem 20\n", (30, 0)),
        ("file 5\n", None),
        ("", None),
    ],
)
def test_shared_memory_is_no_page_cache(text: str, expected: tuple[int, int | None] | None) -> None:
    found = memory.parse(text)
    assert (found and (found.own, found.cache)) == expected
