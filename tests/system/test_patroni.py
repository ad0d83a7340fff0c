"""An instance moves to a Patroni of three nodes, and its clients follow by the old address."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from database import Database
from host_postgres import VERSION
from instances import Make
from moment import until
from patroni import PROGRAMS, Cluster
from program import PATIENCE, must, run

IN_USE = 4
_LONGEST = 120.0  # seconds
pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, PROGRAMS)), reason="patroni, etcd or PostgreSQL is not installed"
)


class Writer(threading.Thread):
    """A client that writes a row after the other at the old address, as an application does.

    committed: what the server has confirmed. gap: the longest time between two of these in seconds.
    """

    def __init__(self, database: Database) -> None:
        super().__init__(daemon=True)
        self._database = database
        self._has_to_end = threading.Event()
        self.committed: list[int] = []
        self.gap = 0.0
        self.failed: list[str] = []

    def run(self) -> None:
        number, last = 0, time.monotonic()
        while not self._has_to_end.is_set():
            number += 1
            try:
                ran = self._database.try_psql(
                    f"insert into log values ({number})", timeout=_LONGEST
                )
            except AssertionError as late:
                self.failed.append(str(late))
                continue
            if ran.status:
                self.failed.append(ran.err)
                time.sleep(0.1)
                continue
            self.committed.append(number)
            now = time.monotonic()
            self.gap, last = max(self.gap, now - last), now

    def end(self) -> None:
        self._has_to_end.set()
        self.join(_LONGEST)

    def await_more(self, count: int = 5) -> None:
        wanted = len(self.committed) + count
        until(f"{count} more rows are committed", lambda: len(self.committed) >= wanted, _LONGEST)

    def require_no_loss(self) -> None:
        """Every row that was confirmed is there, by the old address."""
        there = self._database.psql("select n from log", timeout=PATIENCE).split()
        assert set(self.committed) <= set(map(int, there))


@pytest.fixture
def patroni(instance: Make) -> Iterator[tuple[Database, Cluster, Writer]]:
    """A PostgreSQL that sleeps, with a table, and a Patroni that is to be."""
    database = instance(version=VERSION)
    database.psql("create table log (n int primary key)")
    database.put_to_sleep()
    cluster, writer = Cluster(), Writer(database)
    writer.start()
    try:
        yield database, cluster, writer
    finally:
        writer.end()
        cluster.end()
        run("sockwake", "release", database.name, "--all")


def exported(database: Database, place: Path, method: str) -> Path:
    """What the export of an instance writes for Patroni."""
    words = ("--to", "patroni", "--method", method, "--host", "127.0.0.1", "--output", str(place))
    must("sockwake", "export", database.name, *words)
    return place


def forward_between_clients(*words: str) -> None:
    """Forward it in a moment without a client, which come one after the other."""
    for _ in range(100):
        ran = run("sockwake", "forward", *words)
        if ran.status != IN_USE:
            break
        time.sleep(0.03)
    ran.expect(0)


def test_a_copy_of_its_files_leads_there_and_every_committed_row_survives_the_leader(
    patroni: tuple[Database, Cluster, Writer], tmp_path: Path
) -> None:
    database, cluster, writer = patroni
    writer.await_more()
    cluster.prepare(exported(database, tmp_path / "export", "files"))
    # from here on clients wait, and the data are still
    forward_between_clients("--early", "pg1", *cluster.targets)
    before = must("sha256sum", f"{database.cluster}/global/pg_control")
    cluster.adopt(database.cluster)
    writer.await_more()
    journal = must("journalctl", "--no-pager", "--lines=40", f"--unit={database.proxy}")
    assert writer.failed == [], f"no connection is lost in the move\n{journal}"
    moved = writer.gap
    cluster.start_others()
    cluster.await_synchronous()
    writer.gap = 0.0
    old = cluster.await_leader()
    old.kill()
    until("another node leads", lambda: cluster.leader() not in (None, old), 90)
    writer.await_more()
    writer.end()
    writer.require_no_loss()
    assert must("sha256sum", f"{database.cluster}/global/pg_control") == before
    shown = {
        each["target"]: each["shows"]
        for each in json.loads(must("sockwake", "status", "pg1", "--json"))["forward"]["targets"]
    }
    assert shown[str(old)] == "silent" and sorted(shown.values()) == ["follows", "leads", "silent"]
    print(f"moved in {moved:.1f} s, failed over in {writer.gap:.1f} s, {len(writer.failed)} failed")


@pytest.mark.soak
def test_a_standby_of_it_is_promoted_and_no_row_is_lost(
    patroni: tuple[Database, Cluster, Writer], tmp_path: Path
) -> None:
    database, cluster, writer = patroni
    writer.await_more()
    must("sockwake", "keep", "pg1", "--reason", "moves to Patroni")
    export = exported(database, tmp_path / "export", "standby")
    cluster.prepare(export)
    for node in cluster.nodes:
        node.start()
    until("a node streams from it", lambda: cluster.has("/standby-leader"), 90)
    # from here on no row is confirmed that only the old one has
    database.psql("alter system set synchronous_standby_names = '*'")
    database.psql("select pg_reload_conf()")
    writer.await_more()
    must("sockwake", "release", "pg1", "--all")
    must("sockwake", "forward", "--early", "--force", "pg1", *cluster.targets)
    cluster.promote((export / "README").read_text())
    writer.await_more()
    writer.end()
    writer.require_no_loss()
    print(f"moved in {writer.gap:.1f} s, {len(writer.failed)} failed")
