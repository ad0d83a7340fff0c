"""What takes a kernel with controllers, little memory and file systems of its own.

make soak runs it in a machine with such a kernel, and test_change.py's limits with it.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from instances import Know, Make
from moment import until
from newer_postgres import strip
from program import must, run
from service import Service

DISK = Path("/usr/share/reflink.gz")  # an empty btrfs, which the machine brings along
MANY = 50
PATIENCE = 900  # seconds for the last of them, on one processor
TAKES = 50_000_000  # bytes of each: fifty take more than the machine has
GREEDY = f"""\
import contextlib, socket, sys
taken = bytearray({TAKES})
taken[::4096] = b"x" * len(taken[::4096])
with socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=9) as server:
    while True:
        client, _ = server.accept()
        with contextlib.suppress(OSError), client:  # the proof that it is ready hangs up
            if client.recv(1):
                client.sendall(b"here")
"""

pytestmark = pytest.mark.skipif(
    not os.environ.get("SOCKWAKE_CLOCK"), reason="this machine shares the kernel of its host"
)


def of_memory(name: str) -> int:
    """Bytes, of a line of proc_meminfo(5)."""
    found = re.search(rf"^{name}: +(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) * 1024


def killed_for_memory() -> int:
    found = re.search(r"^oom_kill (\d+)", Path("/proc/vmstat").read_text(), re.MULTILINE)
    assert found
    return int(found[1])


def told(*words: str) -> dict[str, Any]:
    """The first object that a command tells as JSON, or the only one."""
    found = json.loads(must("sockwake", *words, "--json"))
    first: dict[str, Any] = found[0] if isinstance(found, list) else found
    return first


def test_memory_is_told_while_it_is_awake_and_of_what_it_saved_asleep(instance: Make) -> None:
    database = instance()
    with database.connect():
        seen = told("ls", "pg1")["memory_bytes"]
        assert isinstance(seen, int) and 5_000_000 < seen < 500_000_000
        assert re.search(r"^pg1 .* \d[\d.]*M ", must("sockwake", "ls"), re.MULTILINE)
        assert re.search(r"^  memory +\d[\d.]*M$", must("sockwake", "status", "pg1"), re.MULTILINE)
    database.asleep()
    until("its sleep is told", lambda: told("history", "pg1")["slept_at"])
    slept = told("history", "pg1")["memory_bytes"]
    assert isinstance(slept, int) and 5_000_000 < slept < 500_000_000
    time.sleep(5)
    (one,) = told("report", "pg1")["instances"]
    expected = slept / 2**30 * one["asleep_seconds"] / 3600
    assert 0 < one["memory_gib_hours"] <= expected * 1.5 + 1e-5, one


@pytest.fixture
def crowd() -> Iterator[list[Service]]:
    """Fifty programs that wait for memory before they are started."""
    program = Path("/usr/local/lib/greedy.py")
    program.write_text(GREEDY)
    names = [f"greedy{number}" for number in range(MANY)]
    try:
        for name in names:
            command = f"/usr/bin/python3 -IB {program} {{port}}"
            options = ("--exec", command, "--client-first", "--pressure", "wait", "--idle", "1s")
            must("sockwake-new", name, "--kind", "command", *options, "--no-provision")
            with open(f"/etc/sockwake/{name}/instance.env", "a", encoding="utf-8") as file:
                file.write(f"START_TIMEOUT={PATIENCE}s\n")
        must("systemctl", "daemon-reload", timeout=300)
        must("systemctl", "start", *(f"pg-proxy@{name}.socket" for name in names), timeout=300)
        yield [Service(name) for name in names]
    finally:
        run("systemctl", "stop", *(f"pg-proxy@{name}.socket" for name in names), timeout=300)
        must("sockwake", "rm", "greedy*", "--purge", "--yes", timeout=900)
        program.unlink()


def ask(one: Service) -> bytes:
    with socket.create_connection(("127.0.0.1", one.port), PATIENCE) as client:
        client.sendall(b"?")
        return client.recv(4)


def test_fifty_wakes_at_once_do_not_bring_a_small_machine_down(crowd: list[Service]) -> None:
    before, least, over = killed_for_memory(), [of_memory("MemAvailable")], threading.Event()
    assert of_memory("MemTotal") < TAKES * MANY, "the machine has room for all of them"

    def watch() -> None:
        while not over.wait(0.2):
            least.append(of_memory("MemAvailable"))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        with ThreadPoolExecutor(MANY) as pool:
            answers = list(pool.map(ask, crowd))
    finally:
        over.set()
        watching.join()
    refused = [each for each, said in zip(crowd, answers) if said != b"here"]
    assert not refused, f"{refused}:\n{refused[0].journal()}"
    assert killed_for_memory() == before and min(least) > 10_000_000, min(least)
    units = [f"--unit={each.backend}" for each in crowd]
    held = must("journalctl", *units, "--output=cat").count("waits until the machine has memory")
    assert 0 < held <= MANY
    for each in crowd:
        assert each.state(each.socket) == "active"


@pytest.fixture
def sharing(tmp_path: Path) -> Iterator[Path]:
    """A file system whose files can share their blocks, with 512 MB."""
    disk, place = tmp_path / "disk", tmp_path / "place"
    place.mkdir()
    with gzip.open(DISK) as packed, open(disk, "wb") as file:
        while block := packed.read(1 << 20):
            if block.strip(b"\0"):
                file.write(block)
            else:
                file.seek(len(block), os.SEEK_CUR)
        file.truncate(file.tell())
    must("modprobe", "--all", "loop", "btrfs")
    must("mount", "--options", "loop", str(disk), str(place))
    yield place
    must("umount", str(place))


def test_a_copy_shares_its_blocks_where_the_file_system_can(
    sharing: Path, instance: Make, known: Know
) -> None:
    database = instance("--data", str(sharing / "pg1"))
    database.psql("create table kept as select 42 as n")
    database.asleep()
    (sharing / "pg1/big").write_bytes(os.urandom(1 << 20) * 250)
    must("sync")
    before = shutil.disk_usage(sharing)
    assert before.free < 250 << 20, "the file system has room for a second one"
    must("sockwake", "copy", "pg1", "pg2", "--data", str(sharing / "pg2"), timeout=300)
    must("sync")
    assert (sharing / "pg2/big").stat().st_size == 250 << 20
    assert shutil.disk_usage(sharing).used - before.used < 100 << 20
    copy = known("pg2")
    copy.open()
    assert copy.psql("select n from kept") == "42"
    copy.psql("update kept set n = 1")
    assert database.psql("select n from kept") == "42"
    for each in (database, copy):
        each.asleep()


def test_an_upgrade_clones_files_where_the_file_system_can(sharing: Path, instance: Make) -> None:
    database = instance("--data", str(sharing / "pg1"), version="17")
    database.psql("create table kept as select repeat('x', 900) from generate_series(1, 60000)")
    database.psql("vacuum (freeze, analyze) kept")  # what reads it later writes to no block
    strip(database)
    database.asleep()
    must("sync")
    before = shutil.disk_usage(sharing)
    said = must("sockwake", "upgrade", "pg1", "--version", "18", "--json", timeout=PATIENCE)
    must("sync")
    assert json.loads(said)["method"] == "clone"
    assert shutil.disk_usage(sharing).used - before.used < 100 << 20
    assert database.psql("select count(*) from kept") == "60000"
    database.asleep()
    must("sockwake", "upgrade", "pg1", "--back", timeout=PATIENCE)
    assert database.psql("select count(*) from kept") == "60000"
    database.asleep()
