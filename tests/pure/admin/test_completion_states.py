"""The completions of zsh and fish: the same as bash's, and the states of instances."""

import os
import pty
import re
import select
import shutil
import subprocess
from pathlib import Path

import pytest

from env_file import env
from sockwake.admin.completion import fish, zsh
from sockwake.admin.parser import Verb
from sockwake.admin.verbs import VERBS
from sockwake.kinds.table import KINDS
from tree import SOCKWAKE, Tree, run

needs_fish = pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
needs_zsh = pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed")
QUIET = 2  # seconds
LONGEST = 60  # seconds for the first of an answer


@pytest.fixture
def path(tree: Tree, tmp_path: Path) -> str:
    """A PATH with a sockwake that works on a tree of two instances, one of them broken."""
    tree.write_env("shop", env())
    tree.write_env("web", "PORT=x")
    (tree.path / "etc/sockwake/defaults.env").write_text("IDLE=5min\n")  # is no instance
    program = tmp_path / "bin/sockwake"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {" ".join(SOCKWAKE)} "$@" --root {tree}\n')
    program.chmod(0o755)
    return f"{program.parent}:{os.environ['PATH']}"


def by_fish(path: str, tmp_path: Path, line: str) -> dict[str, str]:
    """What fish offers behind a line, each with its description."""
    script = tmp_path / "sockwake.fish"
    script.write_text(fish.script())
    program = f"source {script}; complete -C '{line}'"
    home = {"PATH": path, "HOME": str(tmp_path)}
    ran = run("fish", "--no-config", "-c", program, env=home)
    assert (ran.status, ran.stderr) == (0, ""), ran
    return dict(each.partition("\t")[::2] for each in ran.stdout.splitlines())


class Zsh:
    """A zsh on a terminal of its own, with the completion loaded."""

    def __init__(self, path: str, folder: Path) -> None:
        (folder / "_sockwake").write_text(zsh.script())
        self._fd, theirs = pty.openpty()
        home = {"PATH": path, "HOME": str(folder), "TERM": "dumb", "LC_ALL": "C.UTF-8"}
        self._child = subprocess.Popen(
            ["zsh", "-f", "-i"], stdin=theirs, stdout=theirs, stderr=theirs, env=home
        )
        os.close(theirs)
        setup = (
            f"PS1=; fpath=({folder} $fpath); autoload -Uz compinit; compinit -u -D;"
            " unsetopt prompt_cr prompt_sp; LISTMAX=1000; stty cols 200; bindkey '^O' list-choices;"
            " print set'-'up"
        )
        self._type(f"{setup}\n")
        self._shown("set-up")

    def offers(self, line: str, one: str) -> str:
        """What is listed behind a line. one: a regular expression for one of its lines."""
        self._type("\x15")  # an empty line first
        self._type(f"{line}\x0f")
        return self._shown(one)

    def end(self) -> None:
        self._child.kill()
        self._child.wait()
        os.close(self._fd)

    def _type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def _shown(self, one: str) -> str:
        """What it writes, with a line that it must have, until it has nothing more to write."""
        shown, patience = b"", LONGEST
        while select.select([self._fd], [], [], patience)[0]:
            shown += os.read(self._fd, 65536)
            if re.search(one, shown.decode(errors="replace"), re.MULTILINE):
                patience = QUIET
        assert patience == QUIET, f"no {one!r} in {shown!r}"
        return shown.decode(errors="replace")


@needs_fish
def test_fish_knows_verbs_options_and_instances_with_their_states(
    path: str, tmp_path: Path
) -> None:
    every = {name.partition(" ")[0] for verb in VERBS for name in (verb.name, *verb.aliases)}
    offered = by_fish(path, tmp_path, "sockwake ")
    assert offered.keys() == every and offered["ls"] == "list the instances and their states"
    assert by_fish(path, tmp_path, "sockwake status ") == {"shop": "off", "web": "broken"}
    assert by_fish(path, tmp_path, "sockwake rm --purge w") == {"web": "broken"}
    assert by_fish(path, tmp_path, "sockwake images p").keys() == {"pull", "prune"}
    assert "crun" in by_fish(path, tmp_path, "sockwake runtime shop ")
    assert by_fish(path, tmp_path, "sockwake-new a --kind ").keys() == set(KINDS)
    assert "root" in by_fish(path, tmp_path, "sockwake new a --socket-user ro")
    assert "state=" in by_fish(path, tmp_path, "sockwake ls --filter st")


@needs_fish
@pytest.mark.parametrize("verb", VERBS, ids=[verb.name for verb in VERBS])
def test_fish_knows_every_option(path: str, tmp_path: Path, verb: Verb) -> None:
    declared = {option.flag for option in verb.options} | {"--help"}
    offered = by_fish(path, tmp_path, f"sockwake {verb.name} --")
    assert offered.keys() == declared


@needs_zsh
def test_zsh_knows_verbs_options_and_instances_with_their_states(path: str, tmp_path: Path) -> None:
    shell = Zsh(path, tmp_path)
    try:
        offered = shell.offers("sockwake ", "^would-sleep ")
        for name in {verb.name.partition(" ")[0] for verb in VERBS}:
            # names with one help stand together
            assert re.search(rf"^(\S+ +)*{name} +(\S+ +)*-- ", offered, re.MULTILINE), offered
        states = shell.offers("sockwake status ", "^shop +-- off")
        assert re.search(r"^web +-- broken", states, re.MULTILINE), states
        assert "defaults.env" not in states
        shell.offers("sockwake ls --", "--no-header")
        shell.offers("sockwake images ", "prune")
        shell.offers("sockwake-new a --kind ", "native")
        shell.offers("sockwake ls --filter ", "state=")
        shell.offers("sockwake runtime shop ", "crun")
    finally:
        shell.end()


@needs_zsh
def test_zsh_can_read_the_completion(tmp_path: Path) -> None:
    script = tmp_path / "_sockwake"
    script.write_text(zsh.script())
    ran = run("zsh", "-n", str(script))
    assert (ran.status, ran.stdout, ran.stderr) == (0, "", "")
    for verb in VERBS:
        for option in verb.options:
            assert f"{option.flag}[" in script.read_text() or f",{option.flag}}}" in (
                script.read_text()
            )
