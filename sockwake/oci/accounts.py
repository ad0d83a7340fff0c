"""The user and the groups of a container's process, as the image's own files name them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sockwake.errors import SockwakeError
from sockwake.oci import rootfs


class User:
    """uid and gid in numbers, other groups, and the home directory."""

    def __init__(self, uid: int, gid: int, groups: Sequence[int], home: str) -> None:
        self.uid = uid
        self.gid = gid
        self.groups = sorted({gid, *groups})
        self.home = home or "/"

    def process(self) -> dict[str, object]:
        """It as the runtime wants it."""
        return {"uid": self.uid, "gid": self.gid, "additionalGids": self.groups}


def user(root: str, said: str, more: Sequence[str] = ()) -> User:
    """The user that `user: said` means to an engine: "", a name or a number, with :group or not.

    more: other groups (group_add), by name or number. Raises SockwakeError for an unknown name.
    """
    name, _, group = said.partition(":")
    uid, gid, home, known = _account(root, name or "0")
    groups = [] if group else _memberships(root, known)
    if group:
        gid = _gid(root, group)
    return User(uid, gid, [*groups, *(_gid(root, each) for each in more)], home)


def owner(root: str, uid: int, gid: int, more: Sequence[str] = ()) -> User:
    """The user of these numbers, with the groups that the image has its name in."""
    _, _, home, known = _account(root, str(uid))
    return User(uid, gid, [*_memberships(root, known), *(_gid(root, each) for each in more)], home)


def _account(root: str, name: str) -> tuple[int, int, str, str]:
    """(uid, gid, home, name) of the account of this name or number; its name is "" if unknown."""
    for fields in _lines(root, "/etc/passwd", 6):
        if name == (fields[2] if name.isdecimal() else fields[0]) and fields[3].isdecimal():
            return int(fields[2]), int(fields[3]), fields[5], fields[0]
    if not name.isdecimal():
        raise SockwakeError(f"the image has no user '{name}'")
    return int(name), 0, "", ""


def _memberships(root: str, name: str) -> list[int]:
    return [
        int(fields[2])
        for fields in _lines(root, "/etc/group", 4)
        if name and name in fields[3].split(",")
    ]


def _gid(root: str, name: str) -> int:
    if name.isdecimal():
        return int(name)
    for fields in _lines(root, "/etc/group", 3):
        if fields[0] == name:
            return int(fields[2])
    raise SockwakeError(f"the image has no group '{name}'")


def _lines(root: str, path: str, count: int) -> Iterator[list[str]]:
    """The fields of the lines that have so many, of which the third is a number."""
    for line in rootfs.text(root, path).splitlines():
        fields = line.split(":")
        if len(fields) >= count and fields[2].isdecimal():
            yield fields
