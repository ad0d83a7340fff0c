"""Backups and upkeep in status, doctor, report and metrics: how old, and what is missing."""

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from backup_files import write_backup, write_failure
from env_file import env
from sockwake.admin import inventory
from sockwake.admin.measure import metrics, report_text
from sockwake.admin.measure.metrics import Seen
from sockwake.admin.measure.report import Report, whole
from sockwake.admin.show import overdue, upkeep
from sockwake.admin.show.doctor import upkeep as doctor
from sockwake.admin.show.doctor.finding import Finding, Patient
from sockwake.config.instance import Instance
from sockwake.config.settings import load
from sockwake.errors import SockwakeError
from sockwake.lifecycle import upkeep as notes
from sockwake.lifecycle import wakes
from sockwake.lifecycle.upkeep import Note
from tree import Tree

HOUR, DAY = 3600.0, 86_400.0
ASLEEP = {"state": "asleep", "state_since": None}


def made(tree: Tree, *, written: float = 30 * DAY, **lines: str) -> Instance:
    """An instance whose instance.env is so old; a daily backup without a word more."""
    instance = tree.write_env("pg1", env(**({"BACKUP": "*-*-* *:00:00"} | lines)))
    then = time.time() - written
    os.utime(instance.env_file, (then, then))
    return instance


def fell_asleep(instance: Instance, ago: float) -> None:
    Path(instance.run).mkdir(parents=True, exist_ok=True)
    Path(instance.asleep_since).write_text(f"{wakes.now() - ago}\n")


def missed(instance: Instance, awake_for: float | None = None) -> str:
    return overdue.told(instance, load(instance), awake_for=awake_for)


def test_a_backup_that_was_due_is_missed_an_hour_later(tree: Tree) -> None:
    instance = made(tree)
    assert missed(instance).startswith("a backup was due ")
    assert missed(instance).endswith(" ago, and there is none")
    assert missed(made(tree_beside(tree), written=60)) == ""
    write_backup(instance, age=5 * HOUR)
    assert missed(instance) == "", "it has not been awake since"
    fell_asleep(instance, 3 * HOUR)
    assert missed(instance).endswith(" ago, and the last good one is 5h old")
    write_backup(instance, age=HOUR)
    assert missed(instance) == ""
    assert missed(instance, awake_for=2 * DAY) == "", "the next one is not due for an hour"


def tree_beside(tree: Tree) -> Tree:
    (tree.path / "beside").mkdir()
    return Tree(tree.path / "beside")


def test_one_that_falls_asleep_is_backed_up_then(tree: Tree) -> None:
    instance = made(tree, BACKUP="on-sleep")
    assert missed(instance) == "", "it has never slept"
    fell_asleep(instance, 2 * HOUR)
    assert missed(instance) == "it fell asleep 2h ago without a backup, and there is none"
    fell_asleep(instance, HOUR / 2)
    assert missed(instance) == "", "it may be under way"
    write_backup(instance, age=3 * DAY)
    assert missed(instance, awake_for=HOUR) == ""
    assert missed(instance, awake_for=2 * DAY) == (
        "it is awake for 2d, and BACKUP=on-sleep makes none meanwhile, "
        "and the last good one is 3d old"
    )


def test_without_a_promise_or_without_data_none_is_missed(tree: Tree) -> None:
    instance = made(tree, BACKUP="no")
    fell_asleep(instance, 2 * DAY)
    assert missed(instance) == ""
    other = made(tree_beside(tree))
    Path(other.uninitialised_file).write_text("")
    assert missed(other) == ""


def test_status_tells_the_age_of_the_last_good_one(tree: Tree) -> None:
    instance = made(tree, BACKUP="on-sleep | daily", KEEP_BACKUPS="7")
    settings = load(instance)
    assert upkeep.backup_text(upkeep.facts(instance, settings, ASLEEP)["backup"]).startswith(
        "on-sleep, daily; there is no good one; overdue: a backup was due "
    )
    write_backup(instance, age=9 * HOUR)
    write_backup(instance, age=5 * HOUR, damage="a file is missing")
    write_failure(instance, age=3 * HOUR, why="there is no room")
    told = upkeep.facts(instance, settings, ASLEEP)["backup"]
    assert isinstance(told, dict) and (told["keep"], told["count"]) == (7, 2)
    assert told["last_good"]["path"].startswith(f"{tree}/var/backups/sockwake/pg1/")
    assert upkeep.backup_text(told) == (
        "on-sleep, daily; the last good one of 2 is 9h old (files, 42.0M); "
        "the last attempt failed 3h ago: there is no room"
    )
    plain = made(tree_beside(tree), BACKUP="no")
    assert upkeep.backup_text(upkeep.facts(plain, load(plain), ASLEEP)["backup"]) == ""


def test_status_tells_what_the_last_upkeep_did(tree: Tree) -> None:
    instance = made(tree, MAINTAIN="Sun 03:00 | Mon 03:00-04:00")
    settings = load(instance)

    def told() -> str:
        return upkeep.upkeep_text(upkeep.facts(instance, settings, ASLEEP)["upkeep"])

    assert told() == "Sun 03:00, Mon 03:00 to 04:00; never yet"
    done = ("vacuumed 2 tables", "verified the checksums")
    notes.write(instance, Note(time.time() - 2 * DAY, done, "shop: no room", sorts_by="x"))
    assert notes.read(instance)
    assert told() == (
        "Sun 03:00, Mon 03:00 to 04:00; 2d ago: vacuumed 2 tables, verified the checksums; "
        "not done: shop: no room"
    )
    Path(notes.note_file(instance)).write_text('{"finished": 1}')
    assert notes.read(instance) is None
    notes.forget(instance)
    assert notes.read(instance) is None


def damaged(instance: Instance) -> None:
    write_backup(instance, age=HOUR, damage="base/5/1259 is too short")


def failed(instance: Instance) -> None:
    write_failure(instance, age=HOUR, why="no room in /var/backups")


def rotten(instance: Instance) -> None:
    notes.write(instance, Note(time.time(), (), "", "checksum verification failed in file x"))


def half_done(instance: Instance) -> None:
    notes.write(instance, Note(time.time(), (), "3 pages are damaged"))


@pytest.mark.parametrize(
    ("damage", "check", "what", "mend"),
    [
        (damaged, doctor.backups_good, "its backup of 2", "sockwake backup pg1"),
        (failed, doctor.backups_made, "its last backup failed: no room in", "sockwake backup pg1"),
        (rotten, doctor.maintained, "a page of its data is damaged: ch", "sockwake restore pg1"),
        (half_done, doctor.maintained, "its last upkeep could not do all: 3 ", "sockwake maintain"),
    ],
)
def test_doctor_finds_it(
    tree: Tree,
    damage: Callable[[Instance], None],
    check: Callable[[Patient], Iterable[Finding]],
    what: str,
    mend: str,
) -> None:
    instance = made(tree, BACKUP="no")

    def found() -> list[tuple[str, str]]:
        patient = Patient(inventory.instances(str(tree)), is_whole=True, root=str(tree))
        return [(each.what, each.mend) for each in check(patient)]

    assert found() == []
    damage(instance)
    [(told, command)] = found()
    assert told.startswith(what) and command.startswith(mend)


def test_doctor_finds_one_that_is_missing(tree: Tree) -> None:
    made(tree)
    patient = Patient(inventory.instances(str(tree)), is_whole=True, root=str(tree))
    [one] = doctor.backups_made(patient)
    assert one.what.endswith("and there is none") and one.mend == "sockwake backup pg1"
    (tree.path / "etc/sockwake/pg1/instance.env").write_text(env(BACKUP="nonsense"))
    os.utime(tree.path / "etc/sockwake/pg1/instance.env", (0, 0))
    patient = Patient(inventory.instances(str(tree)), is_whole=True, root=str(tree))
    with pytest.raises(SockwakeError):
        missed(tree.instance("pg1"))
    [one] = doctor.backups_made(patient)
    assert one.what.startswith("'nonsense' is no time in systemd's calendar terms")


def test_the_metrics_have_samples_of_those_that_have_some() -> None:
    seen = [Seen("pg1", "asleep", 0, 1_795_885_200.0, False, 1.0), Seen("pg2", "asleep", 0)]
    text = metrics.written(seen, {}, {})
    assert 'sockwake_last_backup_timestamp_seconds{name="pg1"} 1795885200.0\n' in text
    assert 'sockwake_backup_failed{name="pg1"} 0\n' in text
    assert (
        'backup_failed{name="pg2"}' not in text
        and 'upkeep_timestamp_seconds{name="pg2"' not in text
    )


def test_the_report_has_a_column_where_there_are_backups() -> None:
    one = replace(whole([]), name="pg1")
    plain = Report(0.0, 10 * HOUR, ((0.0, 10 * HOUR),), (one,))
    assert "BACKUP" not in report_text.table(plain)
    backed_up = Report(0.0, 10 * HOUR, ((0.0, 10 * HOUR),), (one,), {"pg1": 7 * HOUR})
    lines = report_text.table(backed_up).splitlines()
    assert lines[2].endswith("BACKUP") and lines[3].rstrip().endswith("3 h ago")
    facts = report_text.facts(backed_up)["instances"]
    assert isinstance(facts, list) and facts[0]["last_backup"].startswith("1970-01-01T")
