"""A check program of the administrator's: what it writes, and why it has no answer, is logged."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from env_file import env
from sockwake.config import settings
from sockwake.lifecycle.idleness import Observation
from sockwake.service.check import Check
from sockwake.system import process, safe_path
from tree import Tree

MakeCheck = Callable[[str], Check]
SEEN = Observation(began=0, known=set(), connections=2, switches=0, silent=7.4)


@pytest.fixture
def check(tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeCheck:
    """check(BODY): the check of an instance by a program of sh; without a body there is none."""
    path = tmp_path / "check"
    instance = tree.write_env("pg1", env(CHECK=str(path)))
    # the directory of the tests is open to others
    monkeypatch.setattr(safe_path, "require_safe", lambda path, what: None)

    def make(body: str) -> Check:
        if body:
            path.write_text(f"#!/bin/sh\n{body}\n")
            path.chmod(0o755)
        return Check(instance, settings.load(instance))

    return make


def test_what_it_writes_goes_where_ours_goes(
    check: MakeCheck, capfd: pytest.CaptureFixture[str]
) -> None:
    assert check(
        "echo $SOCKWAKE_NAME has $SOCKWAKE_CONNECTIONS; echo and $SOCKWAKE_SILENT >&2"
    ).may_sleep(SEEN)
    assert "".join(capfd.readouterr()) == "pg1 has 2\nand 7\n"


def test_its_no_is_an_answer_like_another(
    check: MakeCheck, capfd: pytest.CaptureFixture[str]
) -> None:
    assert not check("exit 75").may_sleep(SEEN)
    assert "".join(capfd.readouterr()) == ""


@pytest.mark.parametrize(
    "why", ["no such file or directory", "permission denied", "exec format error"]
)
def test_why_it_cannot_be_run_is_said(
    check: MakeCheck, capfd: pytest.CaptureFixture[str], why: str
) -> None:
    asked = check("" if why.startswith("no such") else "exit 0")
    path = asked.settings.check
    if why.startswith("permission"):
        os.chmod(path, 0o644)
    elif why.startswith("exec"):
        Path(path).write_bytes(b"\0")
    assert not asked.may_sleep(SEEN)
    assert capfd.readouterr().out == f"sockwake: cannot run {path}: {why}: pg1 stays awake\n"


def test_one_that_others_may_write_is_said(
    check: MakeCheck, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = check("exit 0")
    os.chmod(asked.settings.check, 0o757)
    assert not asked.may_sleep(SEEN)
    said = capfd.readouterr().out
    assert said.startswith(
        f"sockwake: check {asked.settings.check} can be written by others than root: "
    )
    assert said.endswith(": pg1 stays awake\n")


def test_one_that_is_killed_is_said(check: MakeCheck, capfd: pytest.CaptureFixture[str]) -> None:
    asked = check("kill -SEGV $$")
    assert not asked.may_sleep(SEEN)
    assert (
        capfd.readouterr().out
        == f"sockwake: check {asked.settings.check} was killed by signal 11: pg1 stays awake\n"
    )


def test_one_that_is_ended_with_its_look_is_said(
    check: MakeCheck, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = check("exit 0")

    def end(*_arguments: object, **_more: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(process, "run", end)
    with pytest.raises(KeyboardInterrupt):
        asked.may_sleep(SEEN)
    assert capfd.readouterr().out.endswith(" was ended before it had an answer: pg1 stays awake\n")
