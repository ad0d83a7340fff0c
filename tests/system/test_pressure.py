"""A machine that is short of memory: wakes wait for it, or their clients are told (PRESSURE=)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from instances import Make, MakeService, MakeSleeper
from moment import until
from program import must
from refusal import told
from service import Service
from stranger import ask

MEMINFO = Path("/proc/meminfo")
HELD_BACK = "waits until the machine has memory"
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


@pytest.mark.parametrize("kind", ["postgres", "container", "command", "native"])
def test_a_wake_waits_for_memory_and_then_serves_its_client(
    sleeper: MakeSleeper, memory: Memory, kind: str
) -> None:
    held = sleeper(kind, "--idle", "1s", "--pressure", "wait", "--check-every", "1s")
    held.asleep()
    before = said(held).count(HELD_BACK)
    memory.have(SHORT)
    with ThreadPoolExecutor() as pool:
        client = pool.submit(ask, held)
        until("it is held back", lambda: said(held).count(HELD_BACK) > before)
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
def test_a_client_that_waits_in_vain_is_told(instance: Make, memory: Memory) -> None:
    database = instance("--pressure", "wait", "--start-timeout", "4s")
    database.asleep()
    memory.have(SHORT)
    told(database, "the machine is short of memory", "MB are needed")


def test_nothing_is_started_for_a_client_that_does_not_wait(instance: Make, memory: Memory) -> None:
    database = instance("--pressure", "wait")
    database.psql()
    database.asleep()
    memory.have(SHORT)
    before = said(database).count(HELD_BACK)
    waiting = database.start_psql()
    until("it is held back", lambda: said(database).count(HELD_BACK) > before)
    waiting.kill()
    waiting.communicate()
    until("the wake is given up", lambda: database.state(database.backend) == "failed")
    assert "its client has left" in said(database)
    memory.have(ENOUGH)
    assert database.psql() == "1"


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
