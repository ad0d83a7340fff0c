"""sockwake-new --password-file: what it takes, refuses and warns of."""

import os
import stat
from pathlib import Path

import pytest

from tree import Tree


@pytest.fixture
def secret(tree: Tree) -> Path:
    path = tree.path / "secret"
    path.write_text("p:w 'd\n")
    path.chmod(0o600)
    return path


def test_it_is_written_for_root_alone_and_in_no_output(tree: Tree, secret: Path) -> None:
    options = ("--version", "18", "--password-file", str(secret))
    rehearsed = tree.sockwake("new", "pg1", *options, "--dry-run")
    made = tree.sockwake("new", "pg1", *options)
    assert (rehearsed.status, made.status) == (0, 0)
    password = Path(tree.instance("pg1").password_file)
    assert password.read_text() == "p:w 'd\n"
    assert stat.S_IMODE(password.stat().st_mode) == 0o600
    assert f"{password} (0600)\n(secret)" in rehearsed.stdout
    assert "p:w" not in "".join((rehearsed.stdout, made.stdout, made.stderr))


@pytest.mark.parametrize(
    "text",
    [b"", b"\n", b"two\nlines\n", b" begins with a space\n", b"n\0ul\n", b"\xff\n", b"x" * 1001],
    ids=["empty", "an empty line", "two lines", "a space", "a NUL", "no UTF-8", "too long"],
)
def test_what_is_no_password_is_refused_and_nothing_made(
    tree: Tree, secret: Path, text: bytes
) -> None:
    secret.write_bytes(text)
    refused = tree.sockwake("new", "pg1", "--version", "18", "--password-file", str(secret))
    assert refused.status == 2 and str(secret) in refused.stderr
    assert refused.stderr.count("\n") == 1 and not os.path.exists(tree.instance("pg1").etc)


def test_what_cannot_be_read_is_refused(tree: Tree) -> None:
    options = ("--version", "18", "--password-file")
    refused = tree.sockwake("new", "pg1", *options, "/nonexistent")
    assert (refused.status, "cannot read /nonexistent" in refused.stderr) == (2, True)
    refused = tree.sockwake("new", "pg1", *options, "-")  # stdin is closed
    assert (refused.status, "the standard input is no password" in refused.stderr) == (2, True)


def test_what_is_no_secret_is_warned_of(tree: Tree, secret: Path) -> None:
    secret.chmod(0o644)
    made = tree.sockwake("new", "pg1", "--version", "18", "--password-file", str(secret))
    assert made.status == 0 and f"{secret} is no secret" in made.stderr
    assert "is baked into the tree" in made.stderr
    assert "sockwake.pg1.password" in made.stderr


def test_it_is_for_a_postgresql(tree: Tree, secret: Path) -> None:
    options = ("--kind", "container", "--image", "nginx", "--container-port", "80")
    refused = tree.sockwake("new", "web", *options, "--password-file", str(secret))
    assert refused.status == 2 and "--password-file" in refused.stderr
