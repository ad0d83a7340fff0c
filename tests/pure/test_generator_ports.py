"""The generator, and the several ports of a project."""

from pathlib import Path

import pytest

from env_file import PROJECT, text_of
from generator import generate, require_refused, streams


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_a_project_listens_on_every_port_in_the_order_of_its_key(
    tmp_path: Path, shell: str
) -> None:
    _, files = generate(tmp_path / "g", {b"pg1": text_of(PROJECT).encode()}, shell)
    assert streams(files) == ["127.0.0.1:8080", "[::1]:8080", "127.0.0.1:2222"]


@pytest.mark.parametrize(
    "ports",
    [
        "",
        ",",
        "127.0.0.1:80",
        "80=web:80",
        ":80=web:80",
        "::1:80=web:80",
        "[127.0.0.1]:80=web:80",
        "[]:80=web:80",
        "[::1:80=web:80",
        "localhost:80=web:80",
        "127.0.0.1:0=web:80",
        "127.0.0.1:080=web:80",
        "127.0.0.1:80=web:80,",
        "127.0.0.1:80=web:80,*:81=web:81",
        "/run/s:80=web:80",
        "127.0.0.1 ::1:80=web:80",
        "%i:80=web:80",
    ],
)
def test_a_port_that_is_none_is_said_and_opens_nothing(tmp_path: Path, ports: str) -> None:
    require_refused(tmp_path / "g", text_of(PROJECT, PORTS=ports))
