"""Data directories: one instance each, no overlap, no system directory.

Checked when an instance is made and again before its data are deleted, because DATA= may have been
edited. Paths are compared after their symbolic links are resolved.
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


def _in(parent: str, names: str) -> tuple[str, ...]:
    return tuple(f"{parent}/{name}" for name in names.split())


# no data directory can be one of these, or below
_WHOLE = (
    *_in("", "bin boot dev etc lib lib32 lib64 libx32 proc sbin sys"),
    *_in("/usr", "bin games include lib lib32 lib64 libexec libx32 sbin share src"),
    *_in("/var/lib", "apt containerd containers docker dpkg systemd ucf"),
)
# no data directory can be one of these
_THEMSELVES = (
    "/",
    *_in("", "home media mnt opt root run srv tmp usr usr/local var run/lock run/user"),
    *_in("/var", "backups cache lib local lock log mail opt run spool tmp"),
    *_in("/var/lib", "private private/sockwake"),
)


def is_system_s(path: str, root: str = "") -> bool:
    """Whether path is a system directory, in the tree root: no instance may have its data there."""
    if any(
        user.pw_uid >= _FIRST_USER and user.pw_dir.rstrip("/") == path for user in pwd.getpwall()
    ):
        return True  # the home of a user
    ours = _in(scope.data(), "bundles images")
    whole: tuple[str, ...] = (*_WHOLE, scope.etc(), scope.run(), *ours)
    parts: tuple[str, ...] = (scope.data(),)
    if scope.is_user():
        whole += _of_the_user(".local/share/containers")
        parts += _of_the_user(".config", ".local/share", ".ssh")
    return (
        any(safe_path.is_in(path, place) for place in _resolved(whole, root))
        or path in _resolved(_THEMSELVES, root)
        or any(safe_path.is_in(place, path) for place in _resolved((*whole, *parts), root))
    )


def require_no_system_place(path: str) -> None:
    """Raise SockwakeError (usage) when path is a system directory."""
    if is_system_s(path):
        raise SockwakeError(
            f"data directory '{path}' is a place of the system's", "choose one of its own", USAGE
        )


def require_own(data: str, root: str = "", *, but: Instance | None = None) -> None:
    """Raise SockwakeError (exists) when data is a system directory or overlaps with another's.

    And when a link leads from it out of the tree root.

    but: the instance whose directory it is already.
    """
    safe_path.require_in_tree(root, data)
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
        how = _overlap(real, os.path.realpath(place), place, instance)
        if how:
            raise SockwakeError(f"data directory {data} {how}", hint, EXISTS)


def _overlap(real: str, theirs: str, place: str, instance: Instance) -> str:
    """How the directory real overlaps with theirs, which instance calls place, or ""."""
    if real == theirs:
        return f"belongs to instance '{instance.name}'"
    if safe_path.is_in(real, theirs):
        return f"is inside {place}, which belongs to instance '{instance.name}'"
    if safe_path.is_in(theirs, real):
        return f"has {place} in it, which belongs to instance '{instance.name}'"
    return ""


def _claims(root: str, but: Instance | None) -> Iterator[tuple[Instance, str]]:
    """Every (instance, data directory) but one's; each directory that a broken file may mean."""
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
    """Places in a tree, as they are and with symbolic links resolved."""
    return {
        path
        for place in places
        for path in (f"{root}{place}".rstrip("/") or "/", os.path.realpath(root + place))
    }


def _of_the_user(*names: str) -> tuple[str, ...]:
    """Directories in the home of the calling user."""
    home = os.path.expanduser("~")
    return tuple(f"{home}/{name}" for name in names)
