"""docs/new-kind.md, followed word for word: its files make a kind, its commands print this."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tree import SOURCE

PAGE = (SOURCE / "docs/new-kind.md").read_text()
TREE = "/tmp/tree"  # as on the page


def blocks() -> list[tuple[str, str]]:
    """Every code block of the page, without indentation, by the line that introduces it."""
    found = re.findall(r"^(\S.*)\n\n((?:(?:    .*)?\n)+)", PAGE, re.MULTILINE)
    return [
        (
            line,
            "".join(
                re.sub("^    ", "", each) for each in code.strip("\n").splitlines(keepends=True)
            )
            + "\n",
        )
        for line, code in found
    ]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A copy of the source with the page's kind in it."""
    copy = tmp_path / "source"
    for part in ("bin", "sockwake", "debian"):
        shutil.copytree(SOURCE / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    for line, code in blocks():
        if file := re.fullmatch(r"The file `(.*)`:", line):
            (copy / file[1]).parent.mkdir()
            (copy / file[1]).write_text(code)
        elif entry := re.fullmatch(r"The entry, at the end of `KINDS` in `(.*)`:", line):
            table = (copy / entry[1]).read_text()
            assert table.endswith("\n}\n")
            (copy / entry[1]).write_text(table.removesuffix("}\n") + code + "}\n")
    return copy


def test_the_page_has_what_it_takes() -> None:
    assert [line for line, _ in blocks()] == [
        "The file `sockwake/kinds/redis/compose.yaml.j2`:",
        "The entry, at the end of `KINDS` in `sockwake/kinds/table.py`:",
        "In a tree of its own, from the source, without root:",
    ]


def test_the_commands_of_the_page_print_what_it_shows(source: Path, tmp_path: Path) -> None:
    """In a tree of the test's own."""
    transcript = blocks()[-1][1].replace(TREE, str(tmp_path / "tree"))
    steps = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", transcript, re.MULTILINE)
    assert len(steps) == 5
    for command, expected in steps:
        ran = subprocess.run(
            ["sh", "-c", command],
            check=False,
            cwd=source,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert ran.stdout + ran.stderr == expected, command


def test_its_container_has_its_data_and_no_port_of_the_host_s(source: Path, tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    (tmp_path / "tree").mkdir()
    subprocess.run(
        [
            "bin/sockwake-new",
            "cache",
            "--kind",
            "redis",
            "--version",
            "7",
            "--quiet",
            "--root",
            str(tmp_path / "tree"),
        ],
        cwd=source,
        stdin=subprocess.DEVNULL,
        check=True,
    )
    etc = tmp_path / "tree/etc/sockwake/cache"
    service = yaml.safe_load((etc / "compose.yaml").read_text())["services"]["redis"]
    assert service["volumes"] == [{"type": "bind", "source": "${SOCKWAKE_DATA}", "target": "/data"}]
    assert service["network_mode"] == "none" and "ports" not in service
    assert "\nVERSION=7\nIMAGE=redis:7\n" in (etc / "instance.env").read_text()
    assert sorted(path.name for path in etc.iterdir()) == [
        "compose.yaml",
        "instance.env",
        "uninitialised",
    ]
