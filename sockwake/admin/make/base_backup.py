"""What pg_basebackup(1) has written: unpacked, and found to be all there."""

from __future__ import annotations

import json
import os
import re

from sockwake.errors import SockwakeError
from sockwake.system import files

_LABEL = "backup_label"  # until a server has run on it
_MANIFEST = "backup_manifest"
# what is another's, or may have been written since: of the first pg_verifybackup(1) says so, too
_MAY_DIFFER = re.compile(r"pg_wal/.*|(standby|recovery)\.signal|[^/]*\.conf")


def unpack(source: str, place: str) -> None:
    """Unpack the archives of the tar format."""
    from sockwake.system import tree_copy

    for name in sorted(os.listdir(source)):
        target = f"{place}/pg_wal" if name.startswith("pg_wal.") else place
        if name.startswith(("base.tar", "pg_wal.tar")):
            os.makedirs(target, 0o700, exist_ok=True)
            words = ("--extract", "--numeric-owner", "--preserve-permissions", "--auto-compress")
            argv = ["tar", *words, f"--file={source}/{name}", f"--directory={target}"]
            tree_copy.run(argv, place)


def require_all_files(source: str, place: str) -> None:
    """Raise SockwakeError unless all files of a base backup are there, as long as they were.

    place: where they are now. Their checksums are for pg_verifybackup(1), which reads all of them.
    """
    if not (os.path.exists(f"{place}/{_LABEL}") and os.path.exists(f"{source}/{_MANIFEST}")):
        return
    try:
        listed = json.loads(files.text_of(f"{source}/{_MANIFEST}"))["Files"]
        sizes = {_path(each): int(each["Size"]) for each in listed}
    except (ValueError, LookupError, TypeError):
        raise SockwakeError(f"{source}/{_MANIFEST} cannot be read, or is cut") from None
    for name, size in sizes.items():
        if _MAY_DIFFER.fullmatch(name):
            continue
        try:
            found = os.lstat(f"{place}/{name}").st_size
        except OSError:
            raise SockwakeError(f"{source} is not whole: it has no {name}") from None
        if found != size:
            raise SockwakeError(f"{source} is not whole: {name} had {size} bytes, and has {found}")


def _path(entry: dict[str, str]) -> str:
    """A path in a manifest, which is in hexadecimal where it is no text."""
    if encoded := entry.get("Encoded-Path"):
        return os.fsdecode(bytes.fromhex(encoded))
    return entry["Path"]
