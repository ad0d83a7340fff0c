"""An image that is not here yet comes from a registry: a real one, on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from instances import Make
from local_registry import serving
from program import must, run

pytestmark = pytest.mark.engine  # what it does to a container, it does to an engine's

REMOTE = "localhost:5000/pg:17"


@pytest.fixture
def remote_image(tmp_path: Path, image: str) -> Iterator[str]:
    """An image with a layer of its own that only the registry has."""
    try:
        with serving(tmp_path, 5000):
            dd = "postgres:17 if=/dev/urandom of=/ballast bs=1M count=20".split()
            must("docker", "run", "--name=layer", "--network=none", "--entrypoint=dd", *dd)
            changes = ("""--change=ENTRYPOINT ["entrypoint"]""", """--change=CMD ["postgres"]""")
            must("docker", "commit", *changes, "layer", REMOTE)
            must("docker", "rm", "--volumes", "layer")
            must("docker", "push", REMOTE, timeout=180)
            must("docker", "rmi", REMOTE)
            yield REMOTE
    finally:
        run("docker", "rm", "--force", "--volumes", "layer")


def test_image_is_pulled_with_plain_lines_without_a_terminal(
    instance: Make, remote_image: str
) -> None:
    database = instance("--image", remote_image, version="17")
    assert database.psql("show server_version_num").startswith("17")
    assert "Pull complete" in database.made.err
    assert "\r" not in database.made.err and "\x1b" not in database.made.err
    database.asleep()
    must("docker", "rm", "--volumes", database.container)
    must("docker", "rmi", remote_image)
    assert f"image {remote_image} is not on this machine" in database.fatal(), (
        "a wake never waits for a registry"
    )
