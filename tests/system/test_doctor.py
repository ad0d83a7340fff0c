"""sockwake doctor: real damage is found, with what mends it, and what is safe is mended."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from database import Database
from instances import Make
from program import must, run

pytestmark = pytest.mark.fault
LINK = Path("/etc/systemd/system/sockets.target.wants/pg-proxy@gone.socket")
BUNDLE = Path("/var/lib/sockwake/bundles/gone")
CONTAINER = "left-by-gone"
Undo = Callable[[], object]
Damage = Callable[[Database], Undo]


def nothing() -> None:
    """What --fix has undone."""


def found(*arguments: str) -> list[tuple[str, str | None]]:
    """(check, instance) of all that is still wrong."""
    ran = run("sockwake", "doctor", "--json", *arguments)
    rows = json.loads(ran.out)
    left = [(row["check"], row["instance"]) for row in rows if not row["fixed"]]
    assert ran.status == (1 if left else 0), ran
    return left


def a_secret_others_may_read(database: Database) -> Undo:
    os.chmod(database.etc / "password", 0o644)
    return nothing


def an_edit_without_a_reload(database: Database) -> Undo:
    env = database.etc / "instance.env"
    before = env.read_text()
    env.write_text(f"{before}SOCKET_MODE=0600\n")

    def undo() -> None:
        env.write_text(before)
        must("systemctl", "daemon-reload")

    return undo


def a_port_that_was_closed(database: Database) -> Undo:
    must("systemctl", "stop", database.socket)
    return nothing


def a_port_at_the_old_place(database: Database) -> Undo:
    port = str(database.port)
    database.set("PORT", "25999")
    must("systemctl", "daemon-reload")

    def undo() -> None:
        database.set("PORT", port)
        must("systemctl", "daemon-reload")
        must("systemctl", "restart", database.socket)  # the reload has closed the old place

    return undo


def an_hba_that_trusts(database: Database) -> Undo:
    path = next(database.data.rglob("pg_hba.conf"))
    before = path.read_text()
    path.write_text(f"local all all trust\n{before}")
    return lambda: path.write_text(before)


def data_that_have_gone(database: Database) -> Undo:
    away = database.data.with_name("away")
    database.data.rename(away)
    return lambda: away.rename(database.data)


def a_failed_wake(database: Database) -> Undo:
    failure = database.run / "failure"
    failure.parent.mkdir(parents=True, exist_ok=True)
    failure.write_text("its container ended with status 1\n")
    return failure.unlink


def a_link_of_no_instance(_: Database) -> Undo:
    LINK.symlink_to("/usr/lib/systemd/system/pg-proxy@.socket")
    return nothing


def a_bundle_of_no_instance(_: Database) -> Undo:
    BUNDLE.mkdir()
    (BUNDLE / "wake").write_text("0:0\n/x\n/x\n")
    return nothing


def a_container_of_no_instance(_: Database) -> Undo:
    labels = ("--label", "io.sockwake.instance=gone", "--name", CONTAINER)
    must("docker", "create", *labels, "nginx:local")
    return lambda: must("docker", "rm", "--force", CONTAINER)


def an_upgrade_that_was_killed(database: Database) -> Undo:
    versions = {each: {"version": each, "image": "", "digest": ""} for each in ("17", "18")}
    left = {"old": versions["17"], "new": versions["18"], "method": "upgrade", "state": "making"}
    (database.etc / "upgraded").write_text(json.dumps(left))
    return (database.etc / "upgraded").unlink


def a_rename_that_was_killed(database: Database) -> Undo:
    (database.etc / "renaming").write_text("shop enabled open\n")
    return (database.etc / "renaming").unlink


DAMAGES: dict[Damage, tuple[str, bool]] = {  # the check that finds it, and whether --fix mends it
    a_secret_others_may_read: ("mode", True),
    an_edit_without_a_reload: ("generated", True),
    a_port_that_was_closed: ("socket", True),
    a_port_at_the_old_place: ("address", False),
    an_hba_that_trusts: ("trust", False),
    data_that_have_gone: ("data", False),
    a_failed_wake: ("failure", False),
    an_upgrade_that_was_killed: ("upgrade", False),
    a_rename_that_was_killed: ("unfinished", False),
    a_link_of_no_instance: ("link", True),
    a_bundle_of_no_instance: ("directory", True),
    a_container_of_no_instance: ("container", False),
}
OF_THE_MACHINE = ("generated", "link", "directory", "container")


def test_every_damage_is_found_and_what_is_safe_is_mended(instance: Make) -> None:
    database = instance()
    database.psql("select 1")
    database.asleep()
    run("sockwake", "doctor", "--fix")  # of the machine itself
    before = found()
    assert [each for each in before if each[1] == database.name] == []
    for damage, (check, is_safe) in DAMAGES.items():
        undo = damage(database)
        name = None if check in OF_THE_MACHINE else database.name
        assert (check, name) in found(), damage.__name__
        left = found("--fix")
        assert ((check, name) in left) != is_safe, damage.__name__
        undo()
        assert found() == before, damage.__name__
    assert found(database.name) == []
    assert must("sockwake", "doctor", database.name) == "Nothing is wrong with 1 instance.\n"
    assert database.psql("select 1") == "1"
    database.asleep()


@pytest.mark.engine
def test_what_an_engine_does_unasked_is_found(instance: Make) -> None:
    database = instance()
    database.psql("select 1")
    database.asleep()
    must("docker", "update", "--restart=always", database.container)
    assert ("restart", database.name) in found(database.name)
    assert ("restart", database.name) not in found("--fix", database.name)
    must("docker", "start", database.container)
    assert ("unwatched", database.name) in found(database.name)
    assert ("unwatched", database.name) not in found("--fix", database.name)
    database.asleep()
