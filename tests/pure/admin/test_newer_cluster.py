"""What is done with the complaints of a newer PostgreSQL: its settings, and pg_upgrade's report."""

from pathlib import Path

import pytest

from sockwake.admin.upkeep import newer_cluster, two_clusters
from sockwake.admin.upkeep.newer_cluster import NewerCluster
from sockwake.admin.upkeep.old_cluster import Facts
from sockwake.errors import SockwakeError
from sockwake.lifecycle.passing import OnHost
from sockwake.lifecycle.programs import Programs
from sockwake.system import process
from tree import Tree


class Server(Programs):
    """Programs of which postgres -C says something until the configuration is to its liking."""

    def __init__(self, tree: Tree, says: str, until: str) -> None:
        instance = tree.write_env("pg1", "")
        super().__init__(OnHost(instance, "test", 18), "postgres", (-1, -1))
        self._says, self._until = says, until
        self.conf = tree.path / f"data/{two_clusters.NEW}/postgresql.conf"

    def run(self, program: str, *words: object, **more: object) -> str:
        if self._until in self.conf.read_text():
            return ""
        raise process.ProgramError([program], 1, self._says.format(conf=self.conf))


def cluster(tree: Tree, server: Server) -> NewerCluster:
    data = tree.path / "data"
    server.conf.parent.mkdir(parents=True)
    (data / "postgresql.conf").write_text("work_mem = 4MB\nold_one = on\nlast = 1\n")
    (data / "PG_VERSION").write_text("17\n")
    return NewerCluster(str(data), 17, 18, (server, server, server), [])


def test_a_setting_that_is_no_more_is_left_out_and_said(tree: Tree) -> None:
    says = 'LOG:  unrecognized configuration parameter "old_one" in file "{conf}" line 2\n'
    server = Server(tree, says, "# not of PostgreSQL 18: old_one = on\n")
    made = cluster(tree, server)
    made._configure()
    assert server.conf.read_text().startswith("work_mem = 4MB\n# not of PostgreSQL 18: old_one")
    assert (tree.path / "data/postgresql.conf").read_text().count("not of") == 0
    assert made.said == ["old_one is no setting of PostgreSQL 18, and was left out"]


def test_one_on_the_command_line_is_an_error(tree: Tree) -> None:
    server = Server(tree, 'FATAL:  unrecognized configuration parameter "old_one"\n', "never")
    with pytest.raises(SockwakeError, match="does not start with the settings") as raised:
        cluster(tree, server)._configure()
    assert 'unrecognized configuration parameter "old_one"' in raised.value.said


def test_the_report_of_pg_upgrade_is_what_it_is_about(tree: Tree) -> None:
    made = cluster(tree, Server(tree, "", "never"))
    folder = tree.path / f"data/{two_clusters.NEW}/pg_upgrade_output.d/2026"
    (folder / "log").mkdir(parents=True)
    (folder / "loadable_libraries.txt").write_text("could not load library x\nIn database: db\n")
    (folder / "log/pg_upgrade_server.log").write_text("LOG:  fine\nERROR:  not fine\n")
    said = made._report(
        "Checking a    ok\nChecking b    fatal\n\nIt is bad:\n x.txt\nFailure, exiting\n"
    )
    assert said.startswith("Checking b fatal It is bad: x.txt ")
    assert "could not load library x In database: db" in said and "ERROR:  not fine" in said
    assert "Checking a" not in said and "fine" not in said.split("ERROR")[0]


def test_errors_of_a_dump_are_found_but_for_the_superuser_s(tree: Tree) -> None:
    harmless = 'psql:dump.sql:9: ERROR:  role "postgres" already exists\n'
    newer_cluster._require_restored(harmless)
    with pytest.raises(SockwakeError, match="cannot be restored"):
        newer_cluster._require_restored(f"{harmless}psql:dump.sql:12: ERROR:  no such type\n")


def test_libraries_are_preloaded_whatever_the_blanks(tree: Tree) -> None:
    facts = Facts("postgres", [], 'pg_cron, "pg_stat_statements"', {}, {})
    assert facts.preloading == ["shared_preload_libraries=pg_cron,pg_stat_statements"]
    assert Facts("postgres", [], "", {}, {}).preloading == []


def test_a_cluster_that_pg_upgrade_has_disabled_can_be_used_again(tmp_path: Path) -> None:
    control = tmp_path / "global/pg_control"
    control.parent.mkdir()
    Path(f"{control}.old").write_text("x")
    newer_cluster.undo_link(str(tmp_path), 17)
    assert control.read_text() == "x"
    newer_cluster.undo_link(str(tmp_path), 17)
    assert control.read_text() == "x"
