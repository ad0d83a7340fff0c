"""Root uses a path only where no other user can have replaced a part of it."""

import os
import struct
from pathlib import Path

import pytest

from env_file import env
from sockwake.admin.make import host
from sockwake.config import scope, settings
from sockwake.errors import SockwakeError
from sockwake.lifecycle import runtime
from sockwake.postgres import tls
from sockwake.system import safe_path
from tree import Tree

A_USER = 1000
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can make what belongs to others"
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """/…/own, root's, with theirs/data in it, of which `theirs` is a user's."""
    (tmp_path / "own/theirs/data").mkdir(parents=True)
    os.chown(tmp_path / "own/theirs", A_USER, A_USER)
    return tmp_path / "own"


def refused(path: Path | str) -> str:
    with pytest.raises(SockwakeError) as caught:
        safe_path.require_safe(str(path), "data directory")
    return caught.value.message


def test_a_path_below_directories_of_root_is_safe_whatever_owns_its_end(place: Path) -> None:
    for path in ("/var/lib/sockwake/pg1", place, place / "new/er", place / "theirs"):
        safe_path.require_safe(str(path), "data directory")


def test_a_path_below_a_user_s_directory_is_refused(place: Path) -> None:
    for path in (place / "theirs/data", place / "theirs/new", place / "theirs/data/deeper"):
        flaw = f"{place}/theirs belongs to user {A_USER}"
        problem = f"data directory {path} can be replaced by others than root: {flaw}"
        assert refused(path) == problem


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o757])
def test_a_path_below_a_directory_that_others_can_write_is_refused(place: Path, mode: int) -> None:
    os.chown(place, 0, A_USER)
    place.chmod(mode)
    assert refused(place / "data").endswith(f"{place} can be written by others")


USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER = 1, 2, 4, 8, 16, 32
ANOTHER_USER = 65534
ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"


def acl(*more: tuple[int, int, int], mask: int = 7, group: int = 5, other: int = 5) -> bytes:
    """An access list as setfacl(1) would write it: (tag, permissions, id)."""
    entries = sorted(
        [(USER_OBJ, 7, 0), (GROUP_OBJ, group, 0), (MASK, mask, 0), (OTHER, other, 0), *more]
    )
    return struct.pack("<I", 2) + b"".join(
        struct.pack("<HHI", tag, mode, number if tag in (USER, GROUP) else 2**32 - 1)
        for tag, mode, number in entries
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
        acl((USER, 7, ANOTHER_USER)),
        acl((USER, 2, A_USER)),
        acl((GROUP, 7, A_USER)),
        acl((USER, 7, 0), (GROUP, 7, 50), (USER, 6, A_USER)),
        acl(other=7),
    ],
)
def test_a_path_where_an_access_list_lets_others_write_is_refused(
    place: Path, name: str, value: bytes
) -> None:
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
        acl((USER, 5, ANOTHER_USER), (GROUP, 5, 4)),
        acl((USER, 7, ANOTHER_USER), mask=5),
        acl((USER, 7, 0), (GROUP, 7, 50)),
        acl(group=7),
    ],
)
def test_an_access_list_that_lets_only_root_write_is_safe(
    place: Path, name: str, value: bytes
) -> None:
    set_acl(place, name, value)
    safe_path.require_safe(str(place / "data"), "data directory")


@pytest.mark.parametrize("value", [b"", b"\1\0\0\0", acl()[:-1], b"\3\0\0\0" + acl()[4:]])
def test_an_access_list_of_an_unknown_format_is_refused(value: bytes) -> None:
    assert safe_path._grants_others(value, 0)


def test_with_an_access_list_a_mighty_group_is_no_excuse_for_the_mask(place: Path) -> None:
    """The mode looks like that of a directory that only group root can write."""
    set_acl(place, ACCESS, acl((USER, 7, ANOTHER_USER)))
    found = place.stat()
    assert (found.st_gid, found.st_mode & 0o070) == (0, 0o070)
    assert refused(place / "data")


def test_write_access_of_group_staff_is_safe(place: Path) -> None:
    os.chown(place, 0, 50)
    place.chmod(0o2775)
    safe_path.require_safe(str(place / "data"), "check")


def test_in_a_sticky_directory_only_entries_of_root_are_safe(place: Path) -> None:
    place.chmod(0o1777)
    (place / "data").mkdir()
    safe_path.require_safe(str(place / "data"), "data directory")
    assert refused(place / "new").endswith(f"{place} is writable by every user")
    assert refused(place / "theirs").endswith(
        f"{place} is writable by every user, and theirs belongs to user {A_USER}"
    )


@pytest.mark.parametrize(
    "link", ["theirs/data", "theirs/../theirs/data", "{place}/theirs/data", "other"]
)
def test_a_link_is_as_safe_as_the_path_it_leads_to(place: Path, link: str) -> None:
    (place / "link").symlink_to(link.format(place=place))
    (place / "other").symlink_to("theirs/data/deeper")
    assert f"{place}/theirs belongs to" in refused(place / "link" / "x")


def test_links_that_lead_in_circles_end(place: Path) -> None:
    (place / "one").symlink_to("two")
    (place / "two").symlink_to("one")
    safe_path.require_safe(str(place / "one"), "data directory")


def test_a_program_has_to_belong_to_root(place: Path) -> None:
    program = place / "check"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    host.require_check(str(program), "")
    os.chown(program, A_USER, A_USER)
    with pytest.raises(
        SockwakeError,
        match=f"check {program} can be written by others than root: it belongs to user {A_USER}",
    ):
        host.require_check(str(program), "")


def test_in_user_scope_every_path_is_allowed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCKWAKE_SCOPE", "user")
    assert scope.is_user()
    safe_path.require_safe(str(place / "theirs/data"), "data directory")


def test_no_wake_takes_data_that_a_user_can_redirect(tree: Tree, place: Path) -> None:
    instance = tree.write_env("pg1", env())
    Path(instance.uninitialised_file).write_text("")
    with pytest.raises(SockwakeError, match="can be replaced by others than root"):
        runtime.take_data(instance, str(place / "theirs/new"))
    assert not (place / "theirs/new").exists()


@pytest.mark.parametrize("linked", ["18", "18/docker"])
def test_the_key_is_written_through_no_link_in_the_cluster(
    tree: Tree, tmp_path: Path, linked: str
) -> None:
    """The container's user may own the cluster's directories, and link to another cluster."""
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
