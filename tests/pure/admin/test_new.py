"""sockwake new: the right files with the right modes, whole or not at all, once."""

import fcntl
import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from sockwake.admin import inventory
from sockwake.admin.make.draft import Draft
from sockwake.config import settings
from sockwake.config.instance import Name
from sockwake.errors import EXISTS, IN_USE
from tree import SOCKWAKE, Tree, run


@pytest.mark.parametrize("umask", ["0", "022", "077", "0777"])
def test_modes_do_not_depend_on_the_umask(tree: Tree, umask: str) -> None:
    before = tree.snapshot()
    ran = run(
        "sh",
        "-c",
        f'umask {umask}; exec "$@"',
        "sh",
        *SOCKWAKE,
        "new",
        "pg1",
        "--version",
        "18",
        "--quiet",
        "--root",
        str(tree),
    )
    assert ran.status == 0, ran
    assert {path: tree.snapshot()[path][0] for path in tree.added_to(before)} == {
        "etc/sockwake": 0o755,
        "etc/sockwake/pg1": 0o755,
        "etc/sockwake/pg1/compose.yaml": 0o644,
        "etc/sockwake/pg1/instance.env": 0o644,
        "etc/sockwake/pg1/uninitialised": 0o644,
    }


def test_the_settings_are_what_was_asked_for(tree: Tree) -> None:
    tree.new(
        "pg1",
        "--port",
        "5555",
        "--listen",
        "::1",
        "--listen",
        "/run/db",
        "--idle",
        "1h  30min",
        "--db-user",
        "me",
        "--db-name",
        "mine",
        "--image",
        "my/postgres:x",
        "--data",
        "/srv/pg/",
    )
    read = settings.load(tree.instance("pg1"))
    assert (read.port, read.listen, read.idle) == (5555, ("::1", "/run/db/.s.PGSQL.5555"), 5400)
    assert (read.db_user, read.db_name, read.image) == ("me", "mine", "my/postgres:x")
    assert (read.data, read.version) == (f"{tree}/srv/pg", "18")


def test_in_a_tree_no_password_is_made_and_the_report_says_what_makes_it(tree: Tree) -> None:
    ran = tree.sockwake("new", "pg1", "--version", "18")
    assert not os.path.exists(tree.instance("pg1").password_file)
    assert "  password  made by the first wake, in /etc/sockwake/pg1/password\n" in ran.stdout


def test_it_ends_by_saying_what_was_made_and_the_next_command(tree: Tree) -> None:
    ran = tree.sockwake("new", "pg1", "--version", "18")
    assert (ran.status, ran.stderr) == (0, "")
    assert (
        ran.stdout
        == f"""Made instance 'pg1' in {tree}/etc/sockwake/pg1.
  connect   postgresql://postgres@127.0.0.1:25432/postgres
  password  made by the first wake, in /etc/sockwake/pg1/password
  data      {tree}/var/lib/sockwake/pg1
Next:
  systemctl --root={tree} enable pg-proxy@pg1.socket
"""
    )


def test_the_next_command_works(tree: Tree) -> None:
    command = tree.sockwake("new", "pg1", "--version", "18").stdout.splitlines()[-1].split()
    assert run(*command).status == 0
    assert (tree.path / "etc/systemd/system/sockets.target.wants/pg-proxy@pg1.socket").is_symlink()


def test_enable_enables_it_in_the_tree(tree: Tree) -> None:
    tree.new("pg1", "--enable")
    assert (tree.path / "etc/systemd/system/sockets.target.wants/pg-proxy@pg1.socket").is_symlink()


def test_quiet_says_nothing(tree: Tree) -> None:
    ran = tree.sockwake("new", "pg1", "--version", "18", "--quiet")
    assert (ran.status, ran.stdout, ran.stderr) == (0, "", "")


def test_json_says_the_same(tree: Tree) -> None:
    assert tree.new("pg1", "--idle", "infinity") == {
        "name": "pg1",
        "kind": "postgres",
        "version": "18",
        "image": "postgres:18",
        "listen": ["127.0.0.1"],
        "port": 25432,
        "allow": [],
        "idle_seconds": None,
        "dsn": "postgresql://postgres@127.0.0.1:25432/postgres",
        "adopted": False,
        "password_file": f"{tree}/etc/sockwake/pg1/password",
        "data": f"{tree}/var/lib/sockwake/pg1",
        "config": f"{tree}/etc/sockwake/pg1",
        "tls": False,
        "runtime": "crun",
        "engine": None,
        "engine_why": None,
        "image_digest": None,
        "first_wake_seconds": None,
        "units": ["pg-proxy@pg1.socket", "pg-proxy@pg1.service", "pg-postgres@pg1.service"],
    }


@pytest.mark.parametrize("program", ["sockwake-new", "sockwake new"])
def test_it_is_spelled_in_two_ways(tree: Tree, program: str) -> None:
    path, *verb = program.split()
    argv = [
        SOCKWAKE[0],
        "-I",
        str(Path(SOCKWAKE[2]).with_name(path)),
        *verb,
        "pg1",
        "--version",
        "18",
        "--json",
        "--root",
        str(tree),
    ]
    assert json.loads(run(*argv).stdout)["name"] == "pg1"


@pytest.mark.parametrize(("version", "cluster"), [("17", "/srv/pg"), ("18", "/srv/pg/18/docker")])
def test_a_cluster_that_is_there_is_adopted(tree: Tree, version: str, cluster: str) -> None:
    tree.write_cluster(cluster, version)
    ran = tree.sockwake("new", "pg1", "--version", version, "--data", "/srv/pg")
    assert (ran.status, "  password  the adopted cluster's own\n" in ran.stdout) == (0, True), ran
    assert not os.path.exists(tree.instance("pg1").uninitialised_file)


def test_an_empty_disk_is_no_obstacle(tree: Tree) -> None:
    (tree.path / "srv/pg/lost+found").mkdir(parents=True)
    assert tree.new("pg1", "--data", "/srv/pg")["adopted"] is False


def test_of_ten_at_once_on_one_name_one_makes_it(tree: Tree) -> None:
    argv = [*SOCKWAKE, "new", "pg1", "--version", "18", "--quiet", "--root", str(tree)]
    started = [
        subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in range(10)
    ]
    said = sorted((process.communicate(timeout=60)[1], process.returncode) for process in started)
    assert said[0] == ("", 0)
    assert {status for _, status in said[1:]} == {EXISTS}
    assert all(
        "instance 'pg1' exists already" in text or "is being made by another" in text
        for text, _ in said[1:]
    )
    assert settings.load(tree.instance("pg1")).port == 25432


def test_a_name_appears_only_under_the_lock_that_those_hold_who_look_for_a_port(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else they may see it neither as a draft nor as an instance, and take its port."""
    waits = tree.path / "waits"
    with inventory.locked(str(tree)):
        draft = Draft(Name("pg1"), str(tree), {})
        child = os.fork()
        if not child:
            os.closerange(3, 1000)  # or it would hold the lock itself
            monkeypatch.setattr("sockwake.system.locks.time.sleep", lambda seconds: waits.touch())
            draft.publish()
            os._exit(0)
        while not waits.exists():
            assert os.waitpid(child, os.WNOHANG) == (0, 0), "it did not wait"
            time.sleep(0.01)
        assert not os.path.exists(draft.final.etc)
    assert os.waitpid(child, 0)[1] == 0 and os.path.exists(draft.final.etc)


def test_a_draft_is_held_until_its_maker_lets_go_or_ends(tree: Tree) -> None:
    with inventory.locked(str(tree)):
        draft = Draft(Name("pg1"), str(tree), {})
    assert not inventory.is_abandoned(draft.instance)
    draft.release()
    assert inventory.is_abandoned(draft.instance)


def test_while_one_is_being_made_no_other_command_makes_or_removes_it(tree: Tree) -> None:
    draft = tree.path / "etc/sockwake/.new-pg1"
    draft.mkdir(parents=True)
    held = os.open(draft, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        before = tree.snapshot()
        made, removed, listed = (
            tree.sockwake(*verb)
            for verb in (("new", "pg1", "--version", "18"), ("rm", "pg1"), ("ls", "--json"))
        )
        assert (made.status, made.stderr) == (
            EXISTS,
            "sockwake: error: instance 'pg1' is being made by another sockwake-new\n",
        )
        assert (removed.status, removed.stderr) == (
            IN_USE,
            "sockwake: error: instance 'pg1' is being made by a sockwake-new\n",
        )
        assert json.loads(listed.stdout) == [{"name": "pg1", "state": "being made"}]
        assert tree.added_to(before) == []
    finally:
        os.close(held)
