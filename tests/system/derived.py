"""Images that are derived from the tests' own, as a Dockerfile's FROM would."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from subprocess import run as run_raw

from program import must, run

SCRIPTS = "docker-entrypoint-initdb.d"


@contextmanager
def derived(
    base: str, files: Mapping[str, str], *changes: str, name: str = "derived:local"
) -> Iterator[str]:
    """An image of base with files (path to text) in it. changes: lines of a Dockerfile."""
    must("docker", "create", "--name=derives", base)
    try:
        run_raw(["docker", "cp", "-", "derives:/"], input=_archive(files), check=True)
        options = [f"--change={change}" for change in changes]
        must("docker", "commit", *options, "derives", name)
    finally:
        must("docker", "rm", "--volumes", "derives")
    try:
        yield name
    finally:
        run("docker", "rmi", "--force", name)


def _archive(files: Mapping[str, str]) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(path)
            entry.mode, entry.size = 0o644, len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return whole.getvalue()
