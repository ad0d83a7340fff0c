"""Every verb, option, key, state and status is in the manual and in the completion, and nothing else is."""

import re
import shutil
from pathlib import Path

import pytest

from sockwake import errors
from sockwake.admin import ls
from sockwake.config import settings
from sockwake.kinds.table import KINDS
from tree import SOCKWAKE, SOURCE, run

MANUAL = SOURCE / "docs/man"
COMPLETION = SOURCE / "debian/completions/sockwake"


def page(name: str) -> str:
    path = MANUAL / name
    if not path.exists():
        pytest.skip(f"docs/man/{name} is not written yet")
    return path.read_text()


def file_name(path: Path) -> str:
    return path.name


def documented(text: str) -> set[str]:
    """The options that have an entry of their own."""
    return {
        f"-{option}" for option in re.findall(r"^\.It (?:.* )?Fl (-[a-z-]+)", text, re.MULTILINE)
    }


def mentioned(text: str) -> set[str]:
    return {f"-{option}" for option in re.findall(r"^\.?.*\bFl (-[a-z-]+)", text, re.MULTILINE)}


def understood(*verb: str) -> set[str]:
    """The options that --help names."""
    return set(re.findall(r"(?<![\w-])--[a-z-]+", run(*SOCKWAKE, *verb, "--help").stdout))


def verbs() -> list[str]:
    return re.findall(r"^    ([a-z]+) ", run(*SOCKWAKE, "--help").stdout, re.MULTILINE)


def test_there_are_verbs_and_options_to_look_for() -> None:
    assert {"new", "ls", "rm"} <= set(verbs()) and {"--listen", "--help"} <= understood("new")


def test_every_option_of_new_has_its_entry_and_no_other_has() -> None:
    assert documented(page("sockwake-new.8")) == understood("new")


def test_every_option_of_new_is_in_its_synopsis() -> None:
    synopsis = page("sockwake-new.8").partition(".Sh DESCRIPTION")[0]
    assert mentioned(synopsis) == understood("new")


def test_every_other_option_has_its_entry_and_no_other_has() -> None:
    options = understood().union(*(understood(verb) for verb in verbs() if verb != "new"))
    assert documented(page("sockwake.8")) == options


def test_every_verb_has_its_entry_and_no_other_has() -> None:
    assert set(re.findall(r"^\.It Cm (\S+)", page("sockwake.8"), re.MULTILINE)) == set(verbs())


@pytest.mark.parametrize("verb", [verb for verb in verbs() if verb != "new"])
def test_the_options_of_every_verb_are_in_the_synopsis(verb: str) -> None:
    synopsis = page("sockwake.8").partition(".Sh SYNOPSIS")[2].partition(".Sh DESCRIPTION")[0]
    of_verb = next(block for block in synopsis.split(".Nm\n") if block.startswith(f".Cm {verb}\n"))
    assert mentioned(of_verb) == understood(verb) - {"--help"}


def test_every_key_of_instance_env_has_its_entry() -> None:
    text = page("instance.env.5").partition(".Sh KEYS")[2].partition(".Sh WHEN AN EDIT")[0]
    keys = {
        key
        for line in re.findall(r"^\.It Ev (.*)$", text, re.MULTILINE)
        for key in line.split(" , ")
    }
    assert keys == {*settings._REQUIRED, *settings._DEFAULTS}


def test_the_readme_is_short_and_what_it_links_to_is_there() -> None:
    readme = (SOURCE / "README.md").read_text()
    assert len(readme.splitlines()) <= 150
    links = re.findall(r"\]\((docs/[^)#]+)", readme)
    assert links and [link for link in links if not (SOURCE / link).exists()] == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_its_entry_its_row_and_its_example(kind: str) -> None:
    assert re.search(
        rf"^\.It Cm {kind}$",
        page("sockwake-new.8").partition(".It Fl -kind")[2].partition("\n.El")[0],
        re.MULTILINE,
    )
    readme = (SOURCE / "README.md").read_text()
    assert f"\n| `{kind}` |" in readme
    assert re.search(
        rf"^    sockwake-new .*{'--version 18' if kind == 'postgres' else f'--kind {kind}'}",
        readme,
        re.MULTILINE,
    )


def test_every_state_has_its_entry() -> None:
    text = page("sockwake.8").partition(".Sh STATES")[2].partition(".Sh FILES")[0]
    combinations = {
        ls.state(socket, backend, status)
        for socket in ("active", "failed", "inactive")
        for status in ("waking", "")
        for backend in ("activating", "active", "deactivating", "inactive")
    }
    assert set(re.findall(r"^\.It ([a-z ]+)$", text, re.MULTILINE)) == combinations | {
        "broken",
        "being made",
        "unfinished",
    }


def test_every_exit_status_is_in_the_manual_and_in_the_help() -> None:
    statuses = {
        str(getattr(errors, name))
        for name in ("DONE", "FAILED", "USAGE", "EXISTS", "IN_USE", "UNKNOWN")
    }
    text = page("sockwake.8").partition(".Sh EXIT STATUS")[2].partition(".Pp")[0]
    assert set(re.findall(r"^\.It (\d+)$", text, re.MULTILINE)) == statuses | {"130"}
    assert (
        set(re.findall(r"\b(\d)\s", run(*SOCKWAKE, "--help").stdout.partition("exit status")[2]))
        == statuses
    )


@pytest.mark.parametrize("verb", verbs())
def test_the_completion_knows_every_verb_and_option(verb: str) -> None:
    if not COMPLETION.exists():
        pytest.skip("debian/completions/sockwake is not written yet")
    script = f'. {COMPLETION}; COMP_WORDS=(sockwake "$1" "$2"); COMP_CWORD=$3; _sockwake sockwake; printf "%s\\n" "${{COMPREPLY[@]}}"'
    assert set(run("bash", "-c", script, "bash", verb, "--", "2").stdout.split()) >= understood(
        verb
    )
    assert verb in run("bash", "-c", script, "bash", "", "", "1").stdout.split()


@pytest.mark.parametrize("path", sorted(MANUAL.glob("*.[58]")), ids=file_name)
@pytest.mark.skipif(not shutil.which("mandoc"), reason="mandoc is not installed")
def test_mandoc_has_nothing_to_say(path: Path) -> None:
    ran = run("mandoc", "-T", "lint", "-W", "warning", str(path))
    assert (ran.status, ran.stdout, ran.stderr) == (0, "", "")
