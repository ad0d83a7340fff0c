"""Images that mmdebstrap and mkosi make, as docs/images.md has it, are booted."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import bakery
from clone import Clone

IS_SOAK = bool(os.environ.get("SOCKWAKE_SOAK"))
# what makes an image takes a minute each: one is enough to prove what sockwake does
EXAMPLES = ["mmdebstrap", "mkosi"] if IS_SOAK else ["mmdebstrap"]
ENGINES = ("dockerd", "podman")


@pytest.mark.parametrize("example", EXAMPLES)
def test_clones_serve_their_first_client_without_network_and_engine(
    example: str, deb: Path, clone: Callable[[Path], Clone]
) -> None:
    image = bakery.image(example, deb)
    assert not (image / "etc/sockwake/shop/password").exists()
    one, other = clone(image), clone(image)
    for each in (one, other):
        each.boot()
        assert each.run("ls", "/sys/class/net").split() == ["lo"]
        for engine in ENGINES:
            each.run("sh", "-c", f"command -v {engine}", status=127)
        assert each.ask("select version()").startswith("PostgreSQL 18")
        create = f"create table kept as select '{each.name}' as name; select name from kept"
        assert each.ask(create) == each.name
    assert one.password() != other.password()
    assert one.run("cat", "/etc/machine-id") != other.run("cat", "/etc/machine-id")
    one.reboot()
    assert one.ask("select name from kept") == one.name
    assert one.password() not in ("", other.password())
