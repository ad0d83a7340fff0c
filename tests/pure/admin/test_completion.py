"""The bash completion: every verb, every option of a verb, and the values of options."""

import shutil
from pathlib import Path

import pytest

from sockwake.admin.completion import bash
from sockwake.admin.parser import Verb
from sockwake.admin.verbs import VERBS
from sockwake.kinds.table import KINDS
from tree import run


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "sockwake"
    path.write_text(bash.script())
    return path


def completed(script: Path, *words: str) -> list[str]:
    """What a shell offers for the last of these words."""
    program = (
        'script=$1; shift; . "$script"; compopt() { :; }; COMP_WORDS=("$@");'
        'COMP_CWORD=$(($# - 1)); _sockwake "$1"; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    ran = run("bash", "-c", program, "bash", str(script), *words)
    assert (ran.status, ran.stderr) == (0, ""), ran
    return ran.stdout.split()


def test_verbs_come_first(script: Path) -> None:
    called = [name for verb in VERBS for name in (verb.name, *verb.aliases)]
    every = dict.fromkeys(name.partition(" ")[0] for name in called)
    assert completed(script, "sockwake", "") == [*every, "--help", "--version"]
    assert completed(script, "sockwake", "stat") == ["status"]


@pytest.mark.parametrize("verb", VERBS, ids=[verb.name for verb in VERBS])
def test_then_the_options_of_the_verb(script: Path, verb: Verb) -> None:
    declared = {option.flag for option in verb.options} | {"--help"}
    assert set(completed(script, "sockwake", *verb.name.split(), "--")) == declared
    for other in verb.aliases:
        assert set(completed(script, "sockwake", other, "--")) == declared
    if verb.name == "new":
        assert set(completed(script, "/usr/bin/sockwake-new", "x", "--")) == declared


def test_a_group_has_verbs_of_its_own_and_they_take_files(script: Path, tmp_path: Path) -> None:
    assert completed(script, "sockwake", "images", "p") == ["pull", "prune"]
    assert str(script) in completed(script, "sockwake", "images", "load", f"{tmp_path}/")


def test_instances_are_completed_and_no_file_beside_them(
    script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "sockwake"
    folder.unlink()
    for name in ("shop", "web", ".new-half"):
        (folder / name).mkdir(parents=True)
    (folder / "defaults.env").write_text("MEMORY=1G\n")
    elsewhere = tmp_path / "completion"
    elsewhere.write_text(bash.script())
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    offered = completed(elsewhere, "sockwake", "rm", "--user", "")
    assert {word for word in offered if not word.startswith("-")} == {"shop", "web"}
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nowhere"))
    assert "--purge" in completed(elsewhere, "sockwake", "rm", "--user", "")


def test_the_value_of_an_option_is_what_it_may_be(script: Path, tmp_path: Path) -> None:
    assert completed(script, "sockwake-new", "a", "--kind", "") == list(KINDS)
    assert completed(script, "sockwake", "new", "a", "--engine", "p") == ["podman"]
    assert completed(script, "sockwake", "new", "a", "--port", "") == []
    assert "root" in completed(script, "sockwake", "new", "a", "--socket-user", "ro")
    assert completed(script, "sockwake", "rm", "a", "--root", str(tmp_path)) == [str(tmp_path)]
    assert str(script) in completed(script, "sockwake-new", "a", "--check", f"{tmp_path}/")
    assert "builtin" in completed(script, "sockwake-new", "a", "--check", "b")
    assert "state=" in completed(script, "sockwake", "ls", "--filter", "sta")


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_shellcheck_has_nothing_to_say(script: Path) -> None:
    ran = run("shellcheck", "--shell=bash", str(script))
    assert (ran.status, ran.stdout, ran.stderr) == (0, "", "")
