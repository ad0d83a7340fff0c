"""Which instances need an image: those whose bundles were made of it, or are to be, or run it."""

import os
from collections.abc import Iterator

from sockwake.config import resolved, scope
from sockwake.config.instance import Instance, Name
from sockwake.errors import SockwakeError
from sockwake.system import files

_UPGRADED = "upgraded"  # sockwake/admin/upkeep/upgraded.py
_NAME = "image"  # holds the digest; "image…" is another that must be kept, to go back to


def directory(root: str = "") -> str:
    """The directory of the bundles, in the tree root."""
    return f"{root}{scope.data()}/bundles"


def needed(root: str = "", *, by_name: bool = True) -> dict[str, list[str]]:
    """The digests of all images that are needed, and by which instances; raises OSError.

    by_name: also those that no bundle, but the next wake is to be made of, by its name.
    """
    found: dict[str, list[str]] = {}
    for instance in _entries(directory(root)):
        bundle = f"{directory(root)}/{instance}"
        digests = {_text(f"{bundle}/{name}") for name in _entries(bundle) if _is_note(name)}
        for digest in digests - {""}:
            found.setdefault(digest, []).append(instance)
    others = [*_baked(root), *_of_two_versions(root), *_running(root)]
    if by_name:
        others += _by_name(root)
    for instance, digest in others:
        if instance not in found.setdefault(digest, []):
            found[digest].append(instance)
    return found


def _baked(root: str) -> Iterator[tuple[str, str]]:
    """Each instance that has no bundle yet, and the digest of the image that it was baked with."""
    for entry in _entries(scope.etc(root)):
        if os.path.exists(f"{directory(root)}/{entry}/{_NAME}"):
            continue
        try:
            _, digest = resolved.image(Instance(Name(entry), root))
        except SockwakeError:
            continue
        if digest:
            yield entry, digest


def _of_two_versions(root: str) -> Iterator[tuple[str, str]]:
    """Each instance with clusters of two versions, or on the way there, and the images of both."""
    import json  # late: a wake has no use for it

    for entry in _entries(scope.etc(root)):
        try:
            move = json.loads(files.text_of(f"{scope.etc(root)}/{entry}/{_UPGRADED}"))
            digests = [str(move[which]["digest"]) for which in ("old", "new")]
        except (ValueError, TypeError, LookupError):
            continue
        yield from ((entry, digest) for digest in digests if digest)


def _by_name(root: str) -> Iterator[tuple[str, str]]:
    """Each instance whose next wake makes a bundle of an image by its name, and that image.

    Of one that has no bundle yet, or whose files name another image than that was made of: none of
    it may have been awake since.
    """
    from sockwake.oci import names, notes  # late: a wake has no use for them

    wanted = {entry: found for entry in _entries(scope.etc(root)) if (found := _names(entry, root))}
    places = (f"{root}{scope.data()}/images", f"{root}/usr/share/sockwake/images")
    for place in places if wanted else ():
        for digits in filter(names.is_hex, _entries(place)):
            known = {names.normal(name) for name in notes.read(f"{place}/{digits}").names}
            for entry, found in wanted.items():
                if known & set(map(names.normal, found)):
                    yield entry, f"sha256:{digits}"


def _names(entry: str, root: str) -> set[str]:
    """The names of images in the files of an instance that crun wakes, but for its bundle's."""
    import re

    etc = f"{scope.etc(root)}/{entry}"
    env = files.text_of(f"{etc}/instance.env")
    if "RUNTIME=crun" not in env.splitlines():
        return set()
    lines = re.findall(
        r"""\bimage["']?\s*:\s*["']?([^\s"'#,]+)""", files.text_of(f"{etc}/compose.yaml")
    )
    named = {name for name in lines if "$" not in name}
    if len(named) < len(set(lines)):  # ${IMAGE}
        named |= set(re.findall(r"^IMAGE=(.+)$", env, re.MULTILINE))
    return named - {files.text_of(f"{directory(root)}/{entry}/reference").strip()}


def _running(root: str) -> Iterator[tuple[str, str]]:
    """Each instance with a container of crun's that runs, and the image below its root.

    After two updates under a client that is neither the bundle's nor the one before.
    """
    import re

    from sockwake.system import pids

    for pid in () if root or scope.is_user() else pids.every():
        unit = re.search(r"/pg-postgres@([a-z][a-z0-9-]*)\.service$", pids.cgroup(pid))
        if unit:
            mounts = files.text_of(f"/proc/{pid}/mountinfo")
            for digits in set(re.findall(r"/images/([0-9a-f]{64})/rootfs", mounts)):
                yield unit[1], f"sha256:{digits}"


def _is_note(name: str) -> bool:
    return name.startswith(_NAME)


def _entries(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _text(path: str) -> str:
    """The text of a file, "" when it has gone; an image is kept when that cannot be read."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except FileNotFoundError:
        return ""
