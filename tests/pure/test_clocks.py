"""A jump of the clock changes nothing: all that is measured or waited for uses a monotonic one."""

import ast
from pathlib import Path

import pytest

from tree import SOURCE

OF_THE_WALL = {
    "time.time",
    "time.time_ns",
    "time.localtime",
    "time.gmtime",
    "time.ctime",
    "datetime.now",
    "datetime.today",
}


# files of a tree have one, backups and exports; a certificate ends on one; a hold and the hours of
# an instance, when people say by the clock; people and programs are told when something was
ABOUT_DATES = (
    "admin/backup/making.py",
    "admin/backup/restoring.py",
    "admin/backup/staged.py",
    "admin/backup/verification.py",
    "admin/leave/export.py",
    "admin/make/tree.py",
    "admin/leave/export.py",
    "postgres/tls.py",
    "admin/show/overdue.py",
    "admin/show/times.py",
    "admin/show/upkeep.py",
    "admin/upkeep/maintain.py",
    "admin/upkeep/upgraded.py",
    "admin/measure/charts.py",
    "admin/measure/log.py",
    "admin/measure/metrics.py",
    "admin/measure/report.py",
    "admin/measure/words.py",
    "admin/upkeep/maintain.py",
    "admin/upkeep/upgraded.py",
    "lifecycle/backups.py",
    "lifecycle/expiring.py",
    "lifecycle/hold.py",
    "lifecycle/holds.py",
    "service/hours.py",
    "system/calendars.py",
)
OF_HOURS = ("keep", "pg-hours@.timer", "sockwake-generator")  # the same, in sh and in units


@pytest.mark.parametrize(
    "path",
    sorted(
        {*SOURCE.glob("sockwake/**/*.py")} - {SOURCE / "sockwake" / name for name in ABOUT_DATES}
    ),
    ids=lambda path: path.name,
)
def test_no_module_reads_the_clock_on_the_wall(path: Path) -> None:
    tree = ast.parse(path.read_text())
    read = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not read & OF_THE_WALL
    assert not {
        name for name in read if name.endswith(("CLOCK_REALTIME", ".st_mtime", ".st_ctime"))
    }
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "time"
        for alias in node.names
    }
    assert imported == set(), "from time import … would hide from this test"


@pytest.mark.parametrize(
    "path",
    sorted([*SOURCE.glob("bin/*"), SOURCE / "systemd/sockwake-generator"]),
    ids=lambda path: path.name,
)
def test_no_shell_script_asks_for_the_date(path: Path) -> None:
    if path.name in OF_HOURS[:1]:
        return
    code = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    assert not [line for line in code if "date " in line or "$(date" in line or "EPOCH" in line]


@pytest.mark.parametrize("path", sorted(SOURCE.glob("systemd/**/*")), ids=lambda path: path.name)
def test_no_unit_waits_for_a_time_of_day(path: Path) -> None:
    assert path.is_dir() or path.name in OF_HOURS or "OnCalendar" not in path.read_text()
