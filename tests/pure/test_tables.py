"""The tables of the manual that list files, units and keys, against the code that has them."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockwake.admin import inventory
from sockwake.admin.upkeep import two_clusters
from sockwake.config import effects
from sockwake.config.keys import DEFAULTS, OF_ONE_PORT, REQUIRED
from sockwake.kinds.table import KINDS
from sockwake.oci import needs, store
from sockwake.postgres import cluster, password
from tree import SOURCE

PAGE = (SOURCE / "docs/man/sockwake.8").read_text()
KEYS = (SOURCE / "docs/man/instance.env.5").read_text().partition(".Sh KEYS")[2]
# as in {instance.run}/ready of Python, $run/ready of sh, and /run/sockwake/%i/ready of a unit
OF_AN_INSTANCE = re.compile(r"(?:\{(?:\w+\.)*run\}|\$run|/run/sockwake/(?:%i|\$1))/([\w.-]+)")
# made by a wake, by a hold, and by the generator
TRANSIENT = {"pg-check@NAME.timer", "pg-keep@NAME:ID.service", "pg-expire@NAME.timer"}


def entries(section: str) -> set[str]:
    """The paths that have an entry of their own in a section."""
    text = PAGE.partition(f"\n.Sh {section}\n")[2].partition("\n.Sh ")[0]
    lines = re.findall(r"^\.It Pa (.*)$", text, re.MULTILINE)
    return {path for line in lines for path in line.split(" , Pa ")}


def sources() -> Iterator[str]:
    """Every file that may name a file of an instance."""
    for folder in ("sockwake", "bin", "systemd"):
        for path in sorted((SOURCE / folder).rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                yield path.read_text()


def entry_of(key: str) -> str:
    """The text about a key, in one line and without markup."""
    text = re.split(rf"^\.It Ev (?:.* , )?{key}(?: ,.*)?\n", KEYS, flags=re.MULTILINE)[1]
    words = re.sub(r"^\.(?:Li|Ql|Pa|Ev|Cm|Sx) ", "", text, flags=re.MULTILINE)
    return " ".join(re.split(r"^\.(?:It Ev|El\n\.Sh)", words, flags=re.MULTILINE)[0].split())


def test_every_file_in_run_has_its_entry_and_no_other_has() -> None:
    used = {
        f"/run/sockwake/NAME/{name}" for text in sources() for name in OF_AN_INSTANCE.findall(text)
    }
    listed = {path.rstrip("/") for path in entries("FILES") if path.startswith("/run/")}
    assert listed - {"/run/sockwake"} == used


def test_every_file_in_etc_has_its_entry_and_no_other_has() -> None:
    drafts = {inventory._UNFINISHED, inventory._DOOMED}
    written = {f"/etc/sockwake/NAME/{name}" for name in inventory.WRITTEN}
    listed = {path for path in entries("FILES") if path.startswith("/etc/")}
    assert listed == written - {f"/etc/sockwake/NAME/{inventory.MADE_DATA}"} | {
        f"/etc/sockwake/{prefix}NAME/" for prefix in drafts
    }
    assert f".Pa {inventory.MADE_DATA}\n" in PAGE


def test_every_file_beside_the_data_has_its_entry_and_no_other_has() -> None:
    ours = {"", cluster.STAGED, cluster.MADE, two_clusters.WORK, password._KEPT_PASSWORD}
    listed = {path for path in entries("FILES") if path.startswith("/var/")}
    assert listed == {f"/var/lib/sockwake/NAME/{name}" for name in ours} | {
        "/var/lib/sockwake/etc.d/",
        "/var/lib/sockwake/upkeep.d/NAME",
        "/var/backups/sockwake/NAME/TIMESTAMP.METHOD/",
        f"{store.directory()}/DIGEST/",
        f"{store.archives()}/",
        *(f"{needs.directory()}/NAME{beside}/" for beside in ("", ".layers", ".volumes")),
    }


@pytest.mark.parametrize("folder", ["systemd", "systemd/user"])
def test_every_unit_has_its_entry(folder: str) -> None:
    suffixes = (".service", ".socket", ".timer", ".target")
    units = {
        path.name.replace("@.", "@NAME.")
        for path in Path(SOURCE / folder).iterdir()
        if path.suffix in suffixes
    }
    assert units <= entries("DESCRIPTION")
    if folder == "systemd":
        assert entries("DESCRIPTION") - units == TRANSIENT


@pytest.mark.parametrize("key", [key for key, value in DEFAULTS.items() if value])
def test_every_default_is_in_the_entry_of_its_key(key: str) -> None:
    stated = entry_of(key).partition("Default: ")[2]
    assert re.search(rf"(^|[ ,]){DEFAULTS[key]}([ .,]|$)", stated), stated


def test_the_required_keys_are_named() -> None:
    text = (SOURCE / "docs/man/instance.env.5").read_text().partition(".Sh KEYS")[0]
    named = re.findall(r"^\.Ev ([A-Z_ ,.]+)$", text, re.MULTILINE)
    keys = {key for line in named for key in re.findall(r"[A-Z_]+", line)}
    needed = {key for kind in KINDS.values() for key in kind.keys + kind.image_keys}
    assert keys == {*REQUIRED, *OF_ONE_PORT, *needed}
    assert [name for name, kind in KINDS.items() if kind.keys] == ["postgres", "project"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_defaults_of_every_kind_are_in_the_entries_of_their_keys(kind: str) -> None:
    ready, check = (entry_of(key).partition("Default: ")[2] for key in ("READY", "CHECK"))
    if not KINDS[kind].has_cluster:
        said = {"container": "of a container", "project": "of a project", "command": "or a command"}
        of_kind = said.get(kind, f"of a {kind} program")
        assert re.search(rf"{KINDS[kind].ready} (of a project )?{of_kind}", ready)
    assert (kind in check.partition(", else none")[0]) == (KINDS[kind].check == "builtin")


def test_the_manual_tells_of_every_key_when_it_takes_effect() -> None:
    text = KEYS.partition(".Sh WHEN AN EDIT TAKES EFFECT")[2]
    named = [set(line.split(" , ")) for line in re.findall(r"^\.It Ev (.*)$", text, re.MULTILINE)]
    by_effect = {
        effect: {key for key, when in effects.EFFECTS.items() if when == effect}
        for effect in (effects.PORT, effects.RELOAD, effects.NOW)
    }
    # RUNTIME is what `sockwake runtime` changes, and by hand it takes a daemon-reload
    assert named == [
        by_effect[effects.PORT],
        by_effect[effects.RELOAD] | {"RUNTIME"},
        by_effect[effects.NOW],
    ]


def test_every_program_has_its_row_in_the_architecture() -> None:
    text = (SOURCE / "docs/architecture.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    listed = {name for row in rows for name in re.findall(r"`bin/([\w-]+)`", row.split("|")[1])}
    assert {path.name for path in (SOURCE / "bin").iterdir() if path.is_file()} - listed == set()
    modules = {name for row in rows for name in re.findall(r"`(\w+/\w+\.py)`", row)}
    assert modules and [name for name in modules if not (SOURCE / "sockwake" / name).exists()] == []
