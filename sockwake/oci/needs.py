"""Which instances need an image: those whose bundles were made of it, or are to be."""

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


def needed(root: str = "") -> dict[str, list[str]]:
    """The digests of all images that are needed, and by which instances; raises OSError."""
    found: dict[str, list[str]] = {}
    for instance in _entries(directory(root)):
        bundle = f"{directory(root)}/{instance}"
        digests = {_text(f"{bundle}/{name}") for name in _entries(bundle) if _is_note(name)}
        for digest in digests - {""}:
            found.setdefault(digest, []).append(instance)
    for instance, digest in (*_baked(root), *_of_two_versions(root)):
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
