"""bin/note-memory: what it leaves of a cgroup, whether the kernel accounts for it or not."""

import os
from pathlib import Path

import pytest

from sockwake.system import memory
from tree import SOURCE, run

STAT = "anon 8192\nfile 40960\nkernel 5\nshmem 4096\nzswap 1\n"
ROLLUP = (
    "00400000-7fff ---p 00000000 00:00 0  [rollup]\nRss: 90 kB\nPss_Anon: 3 kB\nPss_Shmem: 1 kB\n"
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A /proc, /sys and /run with one process, 7, in the cgroup of unit x, with another, 8."""
    group = tmp_path / "sys/fs/cgroup/system.slice/x y.service"
    for directory in (group, tmp_path / "run/sockwake/pg1", tmp_path / "proc"):
        directory.mkdir(parents=True)
    (group / "cgroup.procs").write_text("7\n8\n9\n")
    for pid in ("7", "8"):
        (tmp_path / "proc" / pid).mkdir()
        (tmp_path / "proc" / pid / "smaps_rollup").write_text(ROLLUP)
    (tmp_path / "proc/7/cgroup").write_text("1:cpu:/\n0::/system.slice/x y.service\n")
    return tmp_path


def noted(root: Path, pid: str = "7") -> str:
    """What the program, with its paths in that tree, leaves."""
    text = (SOURCE / "bin/note-memory").read_text()
    for directory in ("/proc", "/sys", "/run"):
        text = text.replace(f'"{directory}/', f'"{root}{directory}/')
        text = text.replace(f"={directory}/", f"={root}{directory}/")
    ran = run("sh", "-c", text, "note-memory", "pg1", env={"MAINPID": pid})
    assert (ran.status, ran.stdout, ran.stderr) == (0, "", "")
    path = root / "run/sockwake/pg1/memory"
    return path.read_text() if path.exists() else ""


def test_what_the_kernel_accounts_for_is_noted(root: Path) -> None:
    stat = root / "sys/fs/cgroup/system.slice/x y.service/memory.stat"
    stat.write_text(STAT)
    assert noted(root) == "anon 8192\nfile 40960\nshmem 4096\n"
    found = memory.noted(str(root / "run/sockwake/pg1/memory"))
    assert found and (found.own, found.cache) == (12288, 36864)


def test_else_the_processes_are_asked_and_nothing_is_known_of_the_page_cache(root: Path) -> None:
    assert noted(root) == f"anon {2 * 4 * 1024}\n"
    found = memory.noted(str(root / "run/sockwake/pg1/memory"))
    assert found and (found.own, found.cache) == (8192, None)


@pytest.mark.parametrize("pid", ["", "6"])
def test_of_a_server_that_has_ended_nothing_is_noted(root: Path, pid: str) -> None:
    assert noted(root, pid) == ""


def test_a_process_of_this_machine_has_memory() -> None:
    found = memory.of(os.getpid())
    if found:  # a cgroup of version 2, with this process in it
        assert found.own > 0
