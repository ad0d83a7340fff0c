"""Which directory is whose: no data directory is a place of the system's, nor above or below what is another instance's.

Asked when an instance is made and again before its data are deleted: DATA= may have been edited meanwhile. Paths are
compared as the kernel walks them, so that no link hides what lies where.
"""

import os
import pwd
import re
from collections.abc import Iterator

from sockwake.admin import inventory
from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.config.settings import load_if_valid
from sockwake.errors import EXISTS, USAGE, SockwakeError
from sockwake.system import files, safe_path

_DATA = re.compile(r"^\s*DATA=[\"']?(/[^\"'\n]*)", re.MULTILINE)
_FIRST_USER = 1000  # UID_MIN of Debian's login.defs
# nothing below these can be an instance's data
_WHOLE = (
    *(
        "/bin",
        "/boot",
        "/dev",
        "/etc",
        "/lib",
        "/lib32",
        "/lib64",
        "/libx32",
        "/proc",
        "/sbin",
        "/sys",
    ),
    *(
        f"/usr/{name}"
        for name in "bin games include lib lib32 lib64 libexec libx32 sbin share src".split()
    ),
    *(f"/var/lib/{name}" for name in "apt containerd containers docker dpkg systemd ucf".split()),
)
# what is below these can
_THEMSELVES = (
    *(
        "/",
        "/home",
        "/media",
        "/mnt",
        "/opt",
        "/root",
        "/run",
        "/srv",
        "/tmp",
        "/usr",
        "/usr/local",
        "/var",
    ),
    *(f"/var/{name}" for name in "backups cache lib local lock log mail opt run spool tmp".split()),
    *("/run/lock", "/run/user", "/var/lib/private", "/var/lib/private/sockwake"),
)


def is_system_s(path: str, root: str = "") -> bool:
    """Whether the directory path is more than an instance's data can be, in the tree root."""
    if any(
        user.pw_uid >= _FIRST_USER and user.pw_dir.rstrip("/") == path for user in pwd.getpwall()
    ):
        return True  # a person's home, of which no instance's data are more than a part
    whole = (
        *_WHOLE,
        scope.etc(),
        scope.run(),
        *(_of_the_user(".local/share/containers") if scope.is_user() else ()),
    )
    parts = (
        scope.data(),
        *(_of_the_user(".config", ".local/share", ".ssh") if scope.is_user() else ()),
    )
    return (
        any(safe_path.is_in(path, place) for place in _resolved(whole, root))
        or path in _resolved(_THEMSELVES, root)
        or any(safe_path.is_in(place, path) for place in _resolved((*whole, *parts), root))
    )


def require_no_system_place(path: str) -> None:
    """Raise SockwakeError (usage) when the directory path is more than an instance's data can be."""
    if is_system_s(path):
        raise SockwakeError(
            f"data directory '{path}' is a place of the system's", "choose one of its own", USAGE
        )


def require_own(data: str, root: str = "", *, but: Instance | None = None) -> None:
    """Raise SockwakeError (exists) when the directory data is a place of the system's, or overlaps with an instance's.

    but: the instance whose directory it already is.
    """
    hint = (
        "set DATA= in its instance.env right, or leave out --purge"
        if but
        else "choose another with --data"
    )
    real = os.path.realpath(data)
    seen_by = root if safe_path.is_in(real, os.path.realpath(root or "/")) else ""
    if is_system_s(f"/{os.path.normpath(data).lstrip('/')}", root) or is_system_s(real, seen_by):
        raise SockwakeError(f"data directory {data} is a place of the system's", hint, EXISTS)
    for instance, place in _claims(root, but):
        theirs = os.path.realpath(place)
        how = (
            f"belongs to instance '{instance.name}'"
            if real == theirs
            else f"is inside {place}, which belongs to instance '{instance.name}'"
            if safe_path.is_in(real, theirs)
            else f"has {place} in it, which belongs to instance '{instance.name}'"
            if safe_path.is_in(theirs, real)
            else ""
        )
        if how:
            raise SockwakeError(f"data directory {data} {how}", hint, EXISTS)


def _claims(root: str, but: Instance | None) -> Iterator[tuple[Instance, str]]:
    """(instance, data directory) of every instance but one; of a broken file each that it may mean."""
    for instance in (*inventory.unfinished(root), *inventory.instances(root)):
        if but and instance.name == but.name:
            continue
        if settings := load_if_valid(instance):
            places = [settings.data]
        else:
            said = _DATA.findall(files.text_of(instance.env_file))
            places = [root + place.rstrip() for place in (instance.data, *said)]
        for place in filter(None, places):
            yield instance, place


def _resolved(places: tuple[str, ...], root: str) -> set[str]:
    """Places of a tree, and where links lead from them."""
    return {
        path
        for place in places
        for path in (f"{root}{place}".rstrip("/") or "/", os.path.realpath(root + place))
    }


def _of_the_user(*names: str) -> tuple[str, ...]:
    home = os.path.expanduser("~")
    return tuple(f"{home}/{name}" for name in names)
