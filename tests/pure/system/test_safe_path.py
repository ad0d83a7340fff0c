"""What root does at a path, it does only where nobody else can have put something else in place of it."""

import os
import struct
from pathlib import Path

import pytest

from env_file import env
from sockwake.admin import host
from sockwake.config import scope, settings
from sockwake.errors import SockwakeError
from sockwake.lifecycle import runtime
from sockwake.postgres import tls
from sockwake.system import safe_path
from tree import Tree

SOMEBODY = 1000
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can make what belongs to others"
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """/…/own/theirs/data: a directory of somebody's below one of root's."""
    (tmp_path / "own/theirs/data").mkdir(parents=True)
    os.chown(tmp_path / "own/theirs", SOMEBODY, SOMEBODY)
    return tmp_path / "own"


def refused(path: Path | str) -> str:
    with pytest.raises(SockwakeError) as caught:
        safe_path.require_safe(str(path), "data directory")
    return caught.value.message


def test_a_place_of_roots_alone_is_good_whoever_has_the_directory_itself(place: Path) -> None:
    for path in ("/var/lib/sockwake/pg1", place, place / "new/er", place / "theirs"):
        safe_path.require_safe(str(path), "data directory")


def test_below_a_directory_of_somebody_s_none_is(place: Path) -> None:
    for path in (place / "theirs/data", place / "theirs/new", place / "theirs/data/deeper"):
        assert (
            refused(path)
            == f"data directory {path} can be replaced by others than root: {place}/theirs belongs to user {SOMEBODY}"
        )


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o757])
def test_nor_below_one_that_others_can_write(place: Path, mode: int) -> None:
    os.chown(place, 0, SOMEBODY)
    place.chmod(mode)
    assert refused(place / "data").endswith(f"{place} can be written by others")


USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER = 1, 2, 4, 8, 16, 32
NOBODY = 65534
ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"


def acl(*more: tuple[int, int, int], mask: int = 7, group: int = 5, other: int = 5) -> bytes:
    """An access list as setfacl(1) would write it: (tag, permissions, id)."""
    entries = sorted(
        [(USER_OBJ, 7, 0), (GROUP_OBJ, group, 0), (MASK, mask, 0), (OTHER, other, 0), *more]
    )
    return struct.pack("<I", 2) + b"".join(
        struct.pack("<HHI", tag, mode, who if tag in (USER, GROUP) else 2**32 - 1)
        for tag, mode, who in entries
    )


def set_acl(path: Path, name: str, value: bytes) -> None:
    try:
        os.setxattr(path, name, value)
    except OSError as error:
        pytest.skip(f"{path} can have no access list: {error}")


@pytest.mark.parametrize("name", [ACCESS, DEFAULT])
@pytest.mark.parametrize(
    "value",
    [
        acl((USER, 7, NOBODY)),
        acl((USER, 2, SOMEBODY)),
        acl((GROUP, 7, SOMEBODY)),
        acl((USER, 7, 0), (GROUP, 7, 50), (USER, 6, SOMEBODY)),
        acl(other=7),
    ],
)
def test_nor_where_an_access_list_lets_others_write(place: Path, name: str, value: bytes) -> None:
    set_acl(place, name, value)
    said = refused(place / "data")
    assert f"{place} can be written by others" in said, said
    if name == ACCESS:
        program = place / "check"
        program.write_text("")
        set_acl(program, name, value)
        with pytest.raises(
            SockwakeError, match="can be replaced by others|can be written by others"
        ):
            safe_path.require_program(str(program), "check")


@pytest.mark.parametrize("name", [ACCESS, DEFAULT])
@pytest.mark.parametrize(
    "value",
    [
        acl((USER, 5, NOBODY), (GROUP, 5, 4)),
        acl((USER, 7, NOBODY), mask=5),
        acl((USER, 7, 0), (GROUP, 7, 50)),
        acl(group=7),
    ],
)
def test_one_that_provably_lets_nobody_else_write_is_good(
    place: Path, name: str, value: bytes
) -> None:
    set_acl(place, name, value)
    safe_path.require_safe(str(place / "data"), "data directory")


@pytest.mark.parametrize("value", [b"", b"\1\0\0\0", acl()[:-1], b"\3\0\0\0" + acl()[4:]])
def test_one_that_makes_no_sense_is_not_trusted(value: bytes) -> None:
    assert safe_path._grants_others(value, 0)


def test_with_an_access_list_a_mighty_group_is_no_excuse_for_the_mask(place: Path) -> None:
    """The mode's group bits are rwx, and the group is root, as in a directory that only root's group can write."""
    set_acl(place, ACCESS, acl((USER, 7, NOBODY)))
    found = place.stat()
    assert (found.st_gid, found.st_mode & 0o070) == (0, 0o070)
    assert refused(place / "data")


def test_what_the_staff_can_write_is_roots(place: Path) -> None:
    os.chown(place, 0, 50)
    place.chmod(0o2775)
    safe_path.require_safe(str(place / "data"), "check")


def test_in_a_sticky_directory_only_what_is_roots_own_stays_where_it_is(place: Path) -> None:
    place.chmod(0o1777)
    (place / "data").mkdir()
    safe_path.require_safe(str(place / "data"), "data directory")
    assert refused(place / "new").endswith(f"{place} is writable by every user")
    assert refused(place / "theirs").endswith(
        f"{place} is writable by every user, and theirs belongs to user {SOMEBODY}"
    )


@pytest.mark.parametrize(
    "link", ["theirs/data", "theirs/../theirs/data", "{place}/theirs/data", "other"]
)
def test_a_link_is_no_better_than_the_way_it_leads(place: Path, link: str) -> None:
    (place / "link").symlink_to(link.format(place=place))
    (place / "other").symlink_to("theirs/data/deeper")
    assert f"{place}/theirs belongs to" in refused(place / "link" / "x")


def test_links_that_lead_in_circles_end(place: Path) -> None:
    (place / "one").symlink_to("two")
    (place / "two").symlink_to("one")
    safe_path.require_safe(str(place / "one"), "data directory")


def test_a_program_has_to_be_roots_itself(place: Path) -> None:
    program = place / "check"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    host.require_check(str(program), "")
    os.chown(program, SOMEBODY, SOMEBODY)
    with pytest.raises(
        SockwakeError,
        match=f"check {program} can be written by others than root: it belongs to user {SOMEBODY}",
    ):
        host.require_check(str(program), "")


def test_a_user_s_own_are_the_users(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCKWAKE_SCOPE", "user")
    assert scope.is_user()
    safe_path.require_safe(str(place / "theirs/data"), "data directory")


def test_no_wake_takes_data_that_somebody_can_lead_elsewhere(tree: Tree, place: Path) -> None:
    instance = tree.write_env("pg1", env())
    Path(instance.uninitialised_file).write_text("")
    with pytest.raises(SockwakeError, match="can be replaced by others than root"):
        runtime.take_data(instance, str(place / "theirs/new"))
    assert not (place / "theirs/new").exists()


@pytest.mark.parametrize("linked", ["18", "18/docker"])
def test_the_key_of_a_server_goes_through_no_link_of_its_servers(
    tree: Tree, tmp_path: Path, linked: str
) -> None:
    """To the container's user the directories of the cluster may belong, and other clusters have a PG_VERSION, too."""
    tree.write_cluster("/srv/victim/18/docker", "18")
    instance = tree.write_env("pg1", env(TLS="yes"))
    Path(instance.tls_key).write_text("key\n")
    data = Path(f"{tree}{instance.data}")
    (data / linked).parent.mkdir(parents=True)
    (data / linked).symlink_to(f"{tree}/srv/victim/{linked}")
    before = tree.snapshot()
    with pytest.raises(
        SockwakeError,
        match=f"cannot put certificate and key into {data}/18/docker: not a directory",
    ):
        tls.place(instance, settings.load(instance))
    assert tree.added_to(before) == []
