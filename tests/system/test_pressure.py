"""A machine that is short of memory: wakes wait for it, or their clients are told (PRESSURE=)."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from database import Database
from instances import Make, MakeService, MakeSleeper
from moment import until
from program import must
from refusal import ASLEEP_OR_FAILED, told
from service import Service
from soak import only_in_soak
from stranger import ask
from web import get

MEMINFO = Path("/proc/meminfo")
HELD_BACK = "waits until the machine has memory"
SSL_REQUEST = struct.pack("!II", 8, 80877103)
TOTAL = 1_000_000  # kB
ENOUGH, SHORT = 900_000, 50_000  # kB available; 64 MB are to stay free


class Memory:
    """What the machine tells of its memory: a file over /proc/meminfo."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def have(self, available: int) -> None:
        """available: kB."""
        self._file.write_text(f"MemTotal: {TOTAL} kB\nMemAvailable: {available} kB\n")


@pytest.fixture
def memory(machine: None, tmp_path: Path) -> Iterator[Memory]:
    file = tmp_path / "meminfo"
    told = Memory(file)
    told.have(ENOUGH)
    must("mount", "--bind", str(file), str(MEMINFO))
    yield told
    must("umount", str(MEMINFO))


def said(service: Service) -> str:
    """Its journal, also while a wake goes on."""
    must("journalctl", "--sync")
    return must("journalctl", f"--unit={service.backend}", "--output=cat", "--no-pager")


def run_short(service: Service, memory: Memory) -> Callable[[], None]:
    """Have the machine short of memory while it sleeps; returns what awaits its next wake held."""
    service.asleep()
    before = said(service).count(HELD_BACK)
    memory.have(SHORT)
    return lambda: until("it is held back", lambda: said(service).count(HELD_BACK) > before)


@pytest.mark.parametrize("kind", ["postgres", "native", *only_in_soak("command", "container")])
def test_a_wake_waits_for_memory_and_then_serves_its_client(
    sleeper: MakeSleeper, memory: Memory, kind: str
) -> None:
    held = sleeper(kind, "--idle", "1s", "--pressure", "wait", "--check-every", "1s")
    await_held = run_short(held, memory)
    with ThreadPoolExecutor() as pool:
        client = pool.submit(ask, held)
        await_held()
        assert held.state(held.backend) == "activating" and not client.done()
        memory.have(ENOUGH)
        client.result()
    held.asleep()


@pytest.mark.fault
def test_clients_are_told_where_it_shall_not_wait(instance: Make, memory: Memory) -> None:
    database = instance("--pressure", "refuse")
    database.asleep()
    memory.have(SHORT)
    told(database, "the machine is short of memory", "MB are needed")
    memory.have(ENOUGH)
    assert database.psql() == "1"


@pytest.mark.fault
def test_clients_of_a_native_program_are_told_too(sleeper: MakeSleeper, memory: Memory) -> None:
    """systemd starts it again for a client in its queue: what refuses it needs no memory."""
    web = sleeper("native", "--idle", "1s", "--pressure", "refuse")
    web.asleep()
    memory.have(SHORT)
    answer = get(web.port)
    assert answer.status == 503 and "the machine is short of memory" in answer.text
    web.asleep(backend=ASLEEP_OR_FAILED)
    assert "the machine is short of memory" in str(web.ls()["error"])
    assert web.journal(f"--unit={web.backend}").count("short of memory") <= 2, "in a loop"
    memory.have(ENOUGH)
    until("it is served", lambda: get(web.port).status == 200)


@pytest.mark.fault
def test_a_client_that_waits_in_vain_is_told(instance: Make, memory: Memory) -> None:
    database = instance("--pressure", "wait", "--start-timeout", "4s")
    database.asleep()
    memory.have(SHORT)
    told(database, "the machine is short of memory", "MB are needed")


@contextmanager
def coming(service: Service) -> Iterator[None]:
    """A client that has said its first word, and then leaves."""
    has_cluster = isinstance(service, Database)
    with socket.create_connection(("127.0.0.1", service.port), 5) as sock:
        sock.sendall(SSL_REQUEST if has_cluster else b"GET / HTTP/1.0\r\n\r\n")
        if not has_cluster:  # of any other server it could still read the answer
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        yield


@pytest.mark.parametrize("kind", ["postgres", "native", *only_in_soak("command", "container")])
def test_nothing_is_started_for_a_client_that_does_not_wait(
    sleeper: MakeSleeper, memory: Memory, kind: str
) -> None:
    held = sleeper(kind, "--idle", "1s", "--pressure", "wait", "--check-every", "1s")
    await_held = run_short(held, memory)
    with coming(held):
        await_held()
    held.asleep()
    assert "no client waits any more" in said(held)
    assert not held.ls().get("error")
    memory.have(ENOUGH)
    ask(held)
    held.asleep()


@pytest.mark.parametrize("kind", ["postgres", "container", *only_in_soak("command", "native")])
def test_one_that_is_held_back_can_be_stopped(
    sleeper: MakeSleeper, memory: Memory, kind: str
) -> None:
    """Which is no failure of a later client's, whatever the stop signal of an image."""
    held = sleeper(kind, "--pressure", "wait")
    await_held = run_short(held, memory)
    must("systemctl", "start", "--no-block", held.backend)
    await_held()
    must("systemctl", "stop", held.backend)
    held.asleep()
    assert not held.ls().get("error")


@pytest.mark.soak
def test_a_client_that_comes_when_another_gives_up_is_served(
    instance: Make, memory: Memory
) -> None:
    """It is not told that the other has left."""
    database = instance("--pressure", "wait")
    for later in (0.0, 0.1, 0.2, 0.3, 0.4):
        await_held = run_short(database, memory)
        with coming(database):
            await_held()
        time.sleep(later)
        memory.have(ENOUGH)
        assert database.psql() == "1"


@pytest.mark.soak
@pytest.mark.fault
def test_it_has_to_be_free_what_the_instance_had_when_it_fell_asleep(
    instance: Make, memory: Memory
) -> None:
    database = instance("--pressure", "refuse")
    database.psql()
    database.asleep()
    noted = database.run / "memory-taken"
    if not noted.exists():
        pytest.skip("the kernel does not count the memory of cgroups here")
    assert 1_000_000 < int(noted.read_text()) < 500_000_000
    noted.write_text("2000000000\n")
    told(database, "the machine is short of memory", "2000 MB are needed")


def test_many_at_once_wake_one_after_the_other(
    service: MakeService, memory: Memory, program: str
) -> None:
    """There is room for two: what they were let have counts until they have taken it."""
    options = ("--exec", program, "--pressure", "wait", "--check-every", "1s")
    crowd = [service("native", *options, name=f"svc{number}") for number in range(6)]
    for each in crowd:
        each.asleep()
        (each.run / "memory-taken").unlink(missing_ok=True)
    memory.have(210_000)  # 64 MB each, and 64 MB stay free
    with ThreadPoolExecutor(len(crowd)) as pool:
        list(pool.map(ask, crowd))
    let_go = sorted(_let_go(each) for each in crowd)
    assert all(third - first > 4 for first, third in zip(let_go, let_go[2:])), let_go


def _let_go(service: Service) -> float:
    """Seconds since the boot at which its last wake had the memory: systemd's own time."""
    return int(service.property(service.backend, "ExecMainStartTimestampMonotonic")) / 1e6
