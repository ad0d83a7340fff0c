"""The manual has every verb, option, key, state and exit status there is, and no other."""

import re
import shutil
from pathlib import Path

import pytest

from sockwake import errors
from sockwake.admin.make.new_options import OPTIONS
from sockwake.admin.option import Option
from sockwake.admin.parser import GROUPS, Verb
from sockwake.admin.show import ls
from sockwake.admin.verbs import VERBS
from sockwake.config.keys import DEFAULTS, REQUIRED
from sockwake.kinds.table import KINDS
from tree import SOCKWAKE, SOURCE, run

MANUAL = SOURCE / "docs/man"
MACROS = {"Ar", "Cm", "Em", "Ev", "It", "Li", "Nm", "Op", "Pa", "Pq", "Ql", "Sq", "Xr"}
BY_FLAG = {option.flag: option for option in OPTIONS}


def page(name: str) -> str:
    return (MANUAL / name).read_text()


def file_name(path: Path) -> str:
    return path.name


def flag(option: Option) -> str:
    return option.flag


def verb_name(verb: Verb) -> str:
    return verb.name


def rendered(text: str) -> str:
    """mdoc as text on one line: macros have gone, "Fl -x" is "--x"."""
    words = []
    for line in text.splitlines():
        macro = line.startswith(".")
        for word in line.removeprefix(".").split():
            if not (macro and word in MACROS):
                words.append(word)
    joined = re.sub(r"\bFl (-)", r"-\1", " ".join(words))
    return re.sub(r" ([,.;:)])(?= |$)", r"\1", joined.replace(" Ns ", ""))


def mentioned(text: str) -> set[str]:
    return {f"-{option}" for option in re.findall(r"^\.?.*\bFl (-[a-z-]+)", text, re.MULTILINE)}


def entries(text: str) -> dict[str, str]:
    """The text of each option's entry; options with one text below them share it."""
    found: dict[str, str] = {}
    waiting: list[tuple[str, str]] = []
    for part in re.split(r"^(?=\.It Fl )", text, flags=re.MULTILINE)[1:]:
        head, _, body = part.partition("\n")
        waiting.append((head.split()[2], head))
        if body:
            found |= {f"-{name}": rendered(f"{head}\n{body}") for name, head in waiting}
            waiting = []
    return found


ENTRIES = entries(page("sockwake-new.8"))
SYNOPSIS = page("sockwake-new.8").partition(".Sh SYNOPSIS")[2].partition(".Sh DESCRIPTION")[0]


def of_kinds() -> dict[str, str]:
    """Each kind's part of the synopsis, "" for the options of every kind."""
    *forms, last = SYNOPSIS.split(".Nm\n")[1:]
    found = dict.fromkeys(KINDS, "")
    for form in forms:
        named = re.search(r"Fl -kind Cm (.*)", form)
        for kind in named[1].split(" | ") if named else ["postgres"]:
            found[kind] += form
    return found | {"": last}


def in_synopsis(option: Option) -> str:
    """How the synopsis has an option that it has to have, without brackets."""
    metavar = " Ns = Ns ".join(f"Ar {part}" for part in option.metavar.split("=", 1) if part)
    return f"Fl {option.flag[1:]} {metavar}".rstrip() + (" ..." if option.repeatable else "")


def test_help_has_every_option_that_is_declared_and_no_other() -> None:
    for verb in VERBS:
        said = run(*SOCKWAKE, *verb.name.split(), "--help").stdout.partition("\n\n")[2]
        listed = re.findall(r"^  (?:-[a-z], )?(--[a-z-]+)", said, re.MULTILINE)
        assert sorted(listed) == sorted([*(option.flag for option in verb.options), "--help"])


def test_every_option_of_new_has_its_entry_and_no_other_has() -> None:
    assert ENTRIES.keys() == BY_FLAG.keys() | {"--help"}


@pytest.mark.parametrize("option", OPTIONS, ids=flag)
def test_the_entry_has_the_value_and_the_default_that_are_declared(option: Option) -> None:
    entry = ENTRIES[option.flag]
    assert entry.startswith(f"{option.flag} {option.metavar}".rstrip() + " ")
    without = option.default or option.otherwise
    assert f"Default: {without}" in entry if without else "Default:" not in entry
    assert ("Must be given." in entry) == option.required


@pytest.mark.parametrize("option", OPTIONS, ids=flag)
def test_the_synopsis_has_it_for_the_kinds_that_take_it(option: Option) -> None:
    shown = re.escape(in_synopsis(option))
    optional = re.compile(rf"^\.Op {shown}$", re.MULTILINE)
    needed = re.compile(rf"^\.{shown}$", re.MULTILINE)
    forms = of_kinds()
    if option.flag == "--kind":
        assert all("Fl -kind" in forms[kind] for kind in KINDS if kind != "postgres")
    elif not option.kinds and optional.search(forms[""]):
        assert [kind for kind in KINDS if f"Fl {option.flag[1:]} " in forms[kind]] == []
    else:
        named = [kind for kind in KINDS if re.search(rf"Fl {option.flag[1:]}\s", forms[kind])]
        assert named == (option.kinds_named or list(KINDS))
        for kind in option.kinds_named:
            assert needed.search(forms[kind]) or (
                not option.required and optional.search(forms[kind])
            ), kind


def test_every_other_option_has_its_entry_and_no_other_has() -> None:
    declared = {option.flag for verb in VERBS if verb.name != "new" for option in verb.options}
    assert entries(page("sockwake.8")).keys() == declared | {"--help", "--version"}


def test_every_verb_has_its_entry_and_no_other_has() -> None:
    groups = "".join(f"{group} |" for group in GROUPS)
    found = re.findall(rf"^\.It Cm ((?:{groups})\S+)", page("sockwake.8"), re.MULTILINE)
    assert set(found) == {name for verb in VERBS for name in (verb.name, *verb.aliases)}


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb.name != "new"], ids=verb_name)
def test_the_options_of_every_verb_are_in_the_synopsis(verb: Verb) -> None:
    synopsis = page("sockwake.8").partition(".Sh SYNOPSIS")[2].partition(".Sh DESCRIPTION")[0]
    blocks = synopsis.split(".Nm\n")
    of_verb = next(block for block in blocks if block.startswith(f".Cm {verb.name}\n"))
    assert mentioned(of_verb) == {option.flag for option in verb.options}


def test_every_key_of_instance_env_has_its_entry() -> None:
    text = page("instance.env.5").partition(".Sh KEYS")[2].partition(".Sh WHEN AN EDIT")[0]
    keys = {
        key
        for line in re.findall(r"^\.It Ev (.*)$", text, re.MULTILINE)
        for key in line.split(" , ")
    }
    assert keys == {*REQUIRED, *DEFAULTS}


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
        "forwarded",
        "unwatched",
        "being made",
        "unfinished",
    }


def test_every_exit_status_is_in_the_manual_and_in_the_help() -> None:
    statuses = {
        str(getattr(errors, name))
        for name in ("DONE", "FAILED", "USAGE", "EXISTS", "IN_USE", "UNKNOWN", "PENDING")
    }
    text = page("sockwake.8").partition(".Sh EXIT STATUS")[2].partition(".Pp")[0]
    assert set(re.findall(r"^\.It (\d+)$", text, re.MULTILINE)) == statuses | {"130"}
    assert (
        set(re.findall(r"\b(\d)\s", run(*SOCKWAKE, "--help").stdout.partition("exit status")[2]))
        == statuses
    )


@pytest.mark.parametrize("path", sorted(MANUAL.glob("*.[58]")), ids=file_name)
@pytest.mark.skipif(not shutil.which("mandoc"), reason="mandoc is not installed")
def test_mandoc_has_nothing_to_say(path: Path) -> None:
    ran = run("mandoc", "-T", "lint", "-W", "warning", str(path))
    assert (ran.status, ran.stdout, ran.stderr) == (0, "", "")
