"""The memory of cgroups, and the cgroup of a container."""

import os
from pathlib import Path

import pytest

from sockwake.system import cgroups, pids

ID = "0123456789abcdef"


def test_the_memory_of_a_cgroup_is_what_the_kernel_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroups, "_MOUNT", str(tmp_path))
    (tmp_path / "system.slice").mkdir()
    assert cgroups.memory("/system.slice") is None, "no controller counts it"
    (tmp_path / "system.slice/memory.current").write_text("35756442\n")
    assert cgroups.memory("/system.slice") == 35_756_442
    assert cgroups.memory("/gone") is None and cgroups.memory("") is None


@pytest.mark.parametrize(
    ("cgroup", "found"),
    [
        (f"/system.slice/docker-{ID}.scope", f"/system.slice/docker-{ID}.scope"),
        (f"/machine.slice/libpod-{ID}.scope/container", f"/machine.slice/libpod-{ID}.scope"),
        (f"/docker/{ID}/init.scope", f"/docker/{ID}"),
        ("/elsewhere/of/its/own", "/elsewhere/of/its/own"),
    ],
)
def test_a_container_s_cgroup_is_the_one_with_its_id(
    monkeypatch: pytest.MonkeyPatch, cgroup: str, found: str
) -> None:
    monkeypatch.setattr(pids, "cgroup", lambda _: cgroup)
    assert cgroups.of_container(711, ID) == found


def test_a_container_that_has_ended_has_none() -> None:
    assert cgroups.of_container(0, ID) == ""
    assert cgroups.of_container(os.getpid(), "") == pids.cgroup(os.getpid())
