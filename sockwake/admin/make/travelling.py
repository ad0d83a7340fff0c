"""Archives that a tree carries along for a container engine, which loads them at a first wake."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sockwake.engine import archives
from sockwake.errors import EXISTS, SockwakeError
from sockwake.oci import names, source, store
from sockwake.system import files


@contextmanager
def put(root: str, found: Mapping[str, source.Found]) -> Iterator[None]:
    """Write an archive for each image into the tree root, whole or not at all, once for all.

    found: by the image's name. They go again when what is done with them there fails.
    """
    place = store.archives(root)
    made: list[str] = []
    try:
        for name, offer in found.items():
            path = f"{place}/{archives.file_of(name)}"
            if os.path.lexists(path):
                _require_same(path, name, offer.engine_id)
                continue
            with store.locked(root):
                os.makedirs(place, 0o700, exist_ok=True)
                store.require_room(place, offer.size, f"image {name}")
                made.append(path)
                _write(offer.source, path, name)
        yield
    except BaseException:
        for path in made:
            files.remove(path)
        raise


def _write(at: source.Source, path: str, name: str) -> None:
    staged = f"{path}.new"
    files.remove(staged)
    to = f"docker-archive:{os.path.basename(staged)}:{names.normal(name)}"
    try:
        # in its directory, whose path may have a colon in it
        source.run(["skopeo", "copy", "--quiet", at.skopeos, to], name, cwd=os.path.dirname(path))
        os.chmod(staged, 0o600)
        files.sync_file(staged)
        os.rename(staged, path)
        files.sync(os.path.dirname(path))
    finally:
        files.remove(staged)


def _require_same(path: str, name: str, digest: str) -> None:
    """Raise SockwakeError (exists) when another image has this name in the tree already."""
    there = f"docker-archive:{os.path.basename(path)}"
    inspect = ["skopeo", "inspect", "--config", "--raw", there]
    if source.digest_of(source.run(inspect, name, cwd=os.path.dirname(path))) != digest:
        raise SockwakeError(
            f"{path} is another image {name}, for an instance that is in the tree",
            "give one of the two another name",
            EXISTS,
        )
