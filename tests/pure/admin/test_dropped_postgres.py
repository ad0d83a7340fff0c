"""A cluster without the database postgres, which may be dropped: what asks it begins elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sockwake.admin.upkeep.in_server import InServer
from sockwake.admin.upkeep.newer_cluster import NewerCluster
from sockwake.admin.upkeep.old_cluster import Facts
from sockwake.errors import SockwakeError
from sockwake.lifecycle import programs
from sockwake.lifecycle.passing import OnHost, Place
from sockwake.lifecycle.programs import Programs
from sockwake.system import process
from tree import Tree

GONE = 'psql: error: connection to server failed: FATAL:  database "postgres" does not exist'


class Server(programs.Server):
    """One that has the databases shop and template1, with so many tables."""

    tables: dict[str, int]

    def run(self, program: str, *words: str, **more: Any) -> str:
        database = next((word for word in words if word.startswith("--dbname=")), "")
        name = database.removeprefix("--dbname=dbname='").removesuffix("'")
        if database and name not in self.tables:
            raise process.ProgramError([program], 2, GONE.replace("postgres", name))
        asked = next((word for word in words if "datallowconn" in word), "")
        return "\n".join(self.tables) if asked else f"{self.tables.get(name, '')}"


def server(tree: Tree, tables: dict[str, int]) -> Server:
    passing = OnHost(tree.instance("pg1"), "test", 18)
    made = Server(passing, Place("/door"), "postgres", (0, 0))
    made.tables = tables
    return made


def test_a_throw_away_server_is_asked_in_template1(tree: Tree) -> None:
    asked = server(tree, {"shop": 3, "template1": 7})
    assert [asked.sql("select 1"), asked.sql("select 1", "shop"), asked.sql("select 1")] == [
        *("7", "3", "7")
    ]
    asked.execute("select 1;")
    for name in ("postgres", "nosuch"):
        with pytest.raises(process.ProgramError):
            asked.sql("select 1", name)
    with pytest.raises(process.ProgramError):
        server(tree, {}).sql("select 1")


@pytest.mark.parametrize(
    ("found", "is_whole"),
    [
        ({"shop": 3, "template1": 0, "postgres": 0}, True),
        ({"shop": 2, "template1": 0, "postgres": 0}, False),
        ({"template1": 0, "postgres": 0}, False),
    ],
)
def test_a_newer_cluster_has_it_again_and_is_whole(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, found: dict[str, int], is_whole: bool
) -> None:
    made = server(tree, found)
    monkeypatch.setattr(made, "_owner", (0, 0))

    class Newer(Programs):
        @contextmanager
        def server(self, *_: object, **__: object) -> Iterator[Server]:
            yield made

    newer = Newer(OnHost(tree.instance("pg1"), "test", 13), "postgres", (0, 0))
    cluster = NewerCluster(f"{tree}/data", 12, 13, (newer, newer, newer), [])
    facts = Facts("postgres", [], "", {}, {"shop": 3, "template1": 0})
    if is_whole:
        cluster.prove(facts, "upgrade")
    else:
        with pytest.raises(SockwakeError, match="does not have what was in the old one"):
            cluster.prove(facts, "upgrade")


class Reached:
    """A server, asked by a shell in place of psql, in the language of its lc_messages."""

    def __init__(self, *databases: str) -> None:
        self._known = [f"--dbname=dbname='{name}'" for name in databases]

    def argv(self, program: str, *words: str) -> list[str]:
        if not {*words} & {*self._known}:
            return ["sh", "-c", "echo 'FATAL:  Datenbank gibt es nicht' >&2; exit 2"]
        return ["echo", "4711"]


def test_the_upkeep_asks_in_template1() -> None:
    work = InServer(Reached("template1", "shop"), 18, lambda: False)  # type: ignore[arg-type]
    assert work.position() == 4711
    nowhere = InServer(Reached("shop"), 18, lambda: False)  # type: ignore[arg-type]
    with pytest.raises(SockwakeError, match="could not be asked in database postgres"):
        nowhere.position()
