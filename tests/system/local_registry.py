"""A registry on this machine, without TLS."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from moment import until
from program import run, start


@contextmanager
def serving(folder: Path, port: int) -> Iterator[str]:
    """Its address, as images are named; it keeps them in a directory of the folder."""
    if not shutil.which("docker-registry"):
        pytest.skip("docker-registry is not installed")
    config = folder / "registry.yml"
    config.write_text(
        f"version: 0.1\nhttp: {{addr: '127.0.0.1:{port}'}}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/registry}}}}\n"
    )
    server = start("docker-registry", "serve", str(config))
    try:
        ping = ("curl", "--silent", "--fail", f"http://127.0.0.1:{port}/v2/")
        until("the registry answers", lambda: run(*ping).status == 0)
        yield f"localhost:{port}"
    finally:
        server.terminate()
        server.communicate(timeout=30)
