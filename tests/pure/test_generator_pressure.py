"""The generator: a wake is held back where instance.env asks for that."""

from pathlib import Path

import pytest

from env_file import env
from generator import generate


@pytest.mark.parametrize(
    ("line", "is_held_back"),
    [
        ("", False),
        ("PRESSURE=off", False),
        ("PRESSURE=wait", True),
        ("PRESSURE=refuse", True),
        ("PRESSURE=wait;ExecStart", False),
    ],
)
def test_a_wake_is_held_back_where_that_is_asked_for(
    tmp_path: Path, line: str, is_held_back: bool
) -> None:
    """Elsewhere it costs nothing."""
    _, files = generate(tmp_path / "g", {b"a": f"{env()}{line}\n".encode()})
    drop_in = b"[Service]\nExecCondition=+/usr/libexec/sockwake/pressure %i\n"
    assert files.get("pg-postgres@a.service.d/pressure.conf") == (drop_in if is_held_back else None)
