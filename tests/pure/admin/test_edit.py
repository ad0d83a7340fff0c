"""What a user has written in the editor of sockwake edit is kept, however the command ends."""

import os
import pty
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from test_set import edit, editor, text
from test_waiting import locked

from fault import at_every_step, disk_full
from sockwake.admin import cli
from tree import SOCKWAKE, Tree

_EDIT = 'sed -i s/3min/7min/ "$2"'


@pytest.fixture
def pg1(tree: Tree) -> Tree:
    tree.new("pg1", "--port", "25501")
    return tree


def kept(said: str) -> Path:
    """The file that an error names."""
    return Path(said.rpartition("kept in ")[2].strip().rstrip(")"))


def left(tree: Tree) -> list[Path]:
    """The directories of edits that are still there."""
    return list((tree.path / "run").glob("sockwake-*"))


def test_without_room_nothing_that_was_written_is_lost(
    pg1: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, reached, has_run = text(pg1), 0, pg1.path / "has-run"
    for key, value in editor(pg1, f"{_EDIT}; touch {has_run}").items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr("tempfile.tempdir", None)
    work = ["edit", "pg1", "--root", str(pg1)]
    for ended in at_every_step(lambda: cli.main(work), disk_full):
        if not ended.status:
            assert "IDLE=7min\n" in text(pg1), ended
            for each in left(pg1):  # it could not be deleted
                shutil.rmtree(each)
        elif has_run.exists():
            reached += 1
            assert kept(ended.stderr).read_text() == before.replace("3min", "7min"), ended
            assert "no space left on device" in ended.stderr and text(pg1) == before, ended
            kept(ended.stderr).unlink()
            kept(ended.stderr).parent.rmdir()
        assert not left(pg1), ended
        has_run.unlink(missing_ok=True)
        Path(pg1.instance("pg1").env_file).write_text(before)
    assert reached > 3


def test_what_is_no_text_is_kept(pg1: Tree) -> None:
    before = text(pg1)
    status, said, wrong = edit(pg1, 'printf "\\344" >>"$2"')
    assert (status, said, text(pg1)) == (1, "", before)
    assert "what was written is not UTF-8" in wrong
    assert kept(wrong).read_bytes() == before.encode() + b"\xe4"


def test_what_an_editor_that_fails_has_written_is_kept(pg1: Tree) -> None:
    assert "kept in" not in edit(pg1, "exit 3")[2] and not left(pg1)
    wrong = edit(pg1, f"{_EDIT}; exit 3")[2]
    assert "ended with status 3, so nothing was changed" in wrong
    assert "IDLE=7min\n" in kept(wrong).read_text()
    wrong = edit(pg1, 'echo mine >"$2.save"; kill -HUP $$')[2]
    assert Path(f"{kept(wrong)}.save").read_text() == "mine\n"


def test_what_was_written_in_a_rehearsal_is_kept(pg1: Tree) -> None:
    before = text(pg1)
    status, said, wrong = edit(pg1, _EDIT, "--dry-run")
    assert (status, wrong, text(pg1)) == (0, "", before)
    assert "Would change pg1; IDLE at the next wake; your version is kept in " in said
    place = Path(said.rpartition("kept in ")[2].strip().removesuffix("."))
    assert place.read_text() == before.replace("3min", "7min")
    shutil.rmtree(place.parent)
    assert edit(pg1, ":", "--dry-run")[1] == "pg1 is as it was.\n" and not left(pg1)


def test_an_editor_that_is_not_there_leaves_nothing(
    pg1: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(pg1.path / "run"))
    monkeypatch.setenv("VISUAL", "/nonexistent")
    ran = pg1.sockwake("edit", "pg1")
    assert (ran.status, ran.stderr.count("\n")) == (1, 1) and not left(pg1), ran


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGTERM])
def test_an_interruption_loses_none_of_it(pg1: Tree, number: signal.Signals) -> None:
    """While it waits for another command, which has the instance."""
    before, started, go = text(pg1), pg1.path / "started", pg1.path / "go"
    environment = editor(
        pg1, f"{_EDIT}; touch {started}; while ! test -e {go}; do sleep 0.05; done"
    )
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*SOCKWAKE, "edit", "pg1", "--root", str(pg1)],
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        await_file(started)
        with locked(pg1.path / "etc/sockwake/pg1"):
            go.touch()
            said = read(ours, until=b"waiting for instance 'pg1'")
            process.send_signal(number)
            assert process.wait(30) == 130
    finally:
        process.kill()
    said += read(ours)
    assert "sockwake: error: interrupted" in said, said
    assert kept(said).read_text() == before.replace("3min", "7min")
    assert text(pg1) == before


def await_file(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def read(terminal: int, until: bytes = b"\0") -> str:
    """What is written there up to some words, or up to the end."""
    said = b""
    while until not in said:
        try:
            said += os.read(terminal, 1000)
        except OSError:
            break
    return said.decode()
