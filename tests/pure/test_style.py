"""Rules of style that a program can check, and the linters."""

import ast
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tree import SOURCE, run

SKIPPED = {".git", ".mypy_cache", "__pycache__", "dist"}
CACHE = "/var/cache/mypy" if os.path.isdir("/var/cache/mypy") else os.devnull
# each costs a wake milliseconds, or imports what does
SLOW = set(
    """
    argparse asyncio collections contextlib dataclasses enum fnmatch functools http inspect
    ipaddress jinja2 json logging pathlib random re secrets selectors shutil signal socket
    string subprocess tempfile threading traceback typing urllib
    """.split()
)
RUFF = "/opt/wheels/bin/ruff"  # linters.txt
VAGUE = {"common", "helper", "helpers", "misc", "tool", "tools", "util", "utils"}


def files() -> Iterator[Path]:
    for path in sorted(SOURCE.rglob("*")):
        skipped = SKIPPED & set(path.relative_to(SOURCE).parts)
        if path.is_file() and not path.is_symlink() and not skipped:
            yield path


def first_line(path: Path) -> str:
    with open(path, "rb") as file:
        return file.readline(100).decode(errors="replace")


PYTHON = [
    path for path in files() if path.suffix == ".py" or re.match(r"#!.*python", first_line(path))
]
SHELL = [path for path in files() if re.match(r"#!/bin/(ba)?sh", first_line(path))]
PACKAGE = [path for path in PYTHON if path.is_relative_to(SOURCE / "sockwake")]


def name(path: Path) -> str:
    return str(path.relative_to(SOURCE))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def imports(path: Path) -> set[str]:
    """Every module that a file names in an import, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_the_files_are_found() -> None:
    python = {"sockwake/admin/cli.py", "bin/refuse", "tests/run", "tests/pure/test_style.py"}
    shell = {"bin/proxy", "systemd/sockwake-generator", "debian/sockwake.postinst"}
    assert python <= set(map(name, PYTHON)) and shell <= set(map(name, SHELL))


def test_no_function_has_fifty_lines() -> None:
    lengths = {
        f"{name(path)}: {one.name}": (one.end_lineno or 0) - one.lineno + 1
        for path in PYTHON
        for one in functions(path)
    }
    assert {where: length for where, length in lengths.items() if length >= 50} == {}


def test_no_module_has_three_hundred_lines() -> None:
    lengths = {name(path): len(path.read_text().splitlines()) for path in PYTHON}
    assert {where: length for where, length in lengths.items() if length >= 300} == {}


def test_modules_are_named_by_nouns() -> None:
    assert [name(path) for path in PYTHON if VAGUE & set(re.split(r"[_.]", path.name))] == []


def test_nothing_but_programs_and_tests_imports_the_command_line() -> None:
    assert [name(path) for path in PACKAGE if "sockwake.admin.cli" in imports(path)] == []


def test_only_one_module_runs_other_programs() -> None:
    doors = {"subprocess", "pty", "multiprocessing"}
    found = [name(path) for path in PACKAGE if doors & imports(path)]
    assert found == ["sockwake/system/process.py"]
    calls = re.compile(r"os\.(system|popen|spawn)")
    assert [name(path) for path in PACKAGE if calls.search(path.read_text())] == []


@pytest.mark.parametrize("module", ["sockwake.service.waker", "sockwake.service.watcher"])
def test_what_runs_in_every_wake_imports_next_to_nothing(module: str) -> None:
    path = f"sys.path.insert(0, {str(SOURCE)!r})"
    program = f"import sys; {path}; import {module}; print(*sys.modules)"
    ran = run(sys.executable, "-ISB", "-c", program)
    loaded = set(ran.stdout.split())
    assert module in loaded and SLOW & loaded == set(), ran.stderr


def test_no_environment_variable_or_directory_gets_into_a_program_of_root() -> None:
    programs = [path for path in PYTHON if path.parent == SOURCE / "bin"]
    assert [
        name(path)
        for path in programs
        if not re.fullmatch(r"#!/usr/bin/python3 -IS?\n", first_line(path))
    ] == []


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_shellcheck_has_nothing_to_say() -> None:
    """But for SC1090: which file a script will read is not for a linter to know."""
    ran = run("shellcheck", "--exclude=SC1090", *map(str, SHELL))
    assert (ran.status, ran.stdout, ran.stderr) == (0, "", "")


def test_the_shells_can_read_every_script() -> None:
    dash = [path for path in SHELL if re.match(r"#!/bin/sh", first_line(path))]
    said = [run("dash" if path in dash else "bash", "-n", str(path)) for path in SHELL]
    assert [ran for ran in said if ran.status or ran.stderr] == []


def checked_with(path: Path) -> str:
    """The call of mypy that reads a file: names of modules clash between folders."""
    if path in PACKAGE or path.is_relative_to(SOURCE / "tests/pure"):
        return "sockwake"
    return name(path if path.name == "sockwake" else path.parent)


@pytest.mark.skipif(not shutil.which("mypy"), reason="mypy is not installed")
@pytest.mark.parametrize("folder", sorted({checked_with(path) for path in PYTHON}))
def test_mypy_has_nothing_to_say(folder: str) -> None:
    options = ["--strict", "--scripts-are-modules", f"--cache-dir={CACHE}"]
    sources = [str(path) for path in PYTHON if checked_with(path) == folder]
    ran = run(
        "mypy",
        *options,
        *sources,
        env={"MYPYPATH": f"{SOURCE}:{SOURCE}/tests/machine:{SOURCE}/tests/images"},
    )
    assert ran.status == 0, ran.stdout


@pytest.mark.skipif(not os.path.exists(RUFF), reason="ruff is not installed")
@pytest.mark.parametrize("asked", [["format", "--diff"], ["check"]])
def test_ruff_has_nothing_to_say(asked: list[str]) -> None:
    ran = run(RUFF, *asked, "--quiet", "--no-cache", str(SOURCE))
    assert (ran.status, ran.stdout, ran.stderr) == (0, "", "")


@pytest.mark.skipif(not os.path.exists(RUFF), reason="ruff is not installed")
def test_ruff_reads_every_program() -> None:
    found = run(RUFF, "check", "--show-files", str(SOURCE)).stdout.splitlines()
    assert {str(path) for path in PYTHON} - set(found) == set()
