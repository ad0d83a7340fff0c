"""The mount points of every container, made in an image as it is unpacked."""

from __future__ import annotations

import os
from pathlib import Path

from sockwake.oci import mount_points, mounts

WHEN = 1_700_000_000


def test_none_is_missing_and_no_time_has_changed(tmp_path: Path) -> None:
    """Also in an image that has nothing but its program; what is there stays as it is."""
    for folder in ("bare", "full/etc", "full/real", "linked/real"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "full/dev").symlink_to("/real")
    (tmp_path / "full/etc/hosts").write_text("the image's")
    (tmp_path / "full/etc/resolv.conf").symlink_to("../run/resolv.conf")
    (tmp_path / "linked/etc").symlink_to("../../../real")
    made = [
        each["destination"] for each in mounts.engine_s(0) if each["destination"].count("/") < 2
    ]
    made += [f"/etc/{name}" for name in mounts.FILES]
    for image in ("bare", "full", "linked"):
        rootfs = tmp_path / image
        for path in [rootfs, *rootfs.rglob("*")]:
            os.utime(path, (WHEN, WHEN), follow_symlinks=False)
        mount_points.make(str(rootfs))
        mount_points.make(str(rootfs))
        entries = [{"destination": path, "type": "bind"} for path in made]
        assert not mounts.missing(str(rootfs), mounts.ordered(str(rootfs), entries[:-1]))
        assert {path.lstat().st_mtime for path in [rootfs, *rootfs.rglob("*")]} == {WHEN}
    assert (tmp_path / "full/etc/hosts").read_text() == "the image's"
    assert (tmp_path / "full/etc/hostname").is_file()
    assert (tmp_path / "linked/real/resolv.conf").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bare", "full", "linked"]
