"""A system tree in a temporary directory, and sockwake working on it with --root."""

import fcntl
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

import forked
from sockwake.config.instance import Instance, Name

SOURCE = Path(__file__).resolve().parents[2]
SOCKWAKE = (sys.executable, "-I", str(SOURCE / "bin/sockwake"))
_LONGEST = 60  # seconds
_GET_FLAGS, _SET_FLAGS, _IMMUTABLE = 0x80086601, 0x40086602, 0x10  # linux/fs.h


@dataclass(frozen=True)
class Ran:
    """How a program ended; pytest shows it when an assertion fails."""

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str


def run(*argv: str, env: dict[str, str] | None = None) -> Ran:
    """Run a program to its end, with stdin closed."""
    environment = {**os.environ, **(env or {})}
    if argv[: len(SOCKWAKE)] == SOCKWAKE and forked.can_run(env):
        status, *said = forked.run(list(argv[len(SOCKWAKE) :]), environment, _LONGEST)
        out, err = (each.decode("utf-8", "surrogateescape") for each in said)
        return Ran(argv, status, out, err)
    done = subprocess.run(
        argv,
        check=False,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=_LONGEST,
    )
    return Ran(argv, done.returncode, done.stdout, done.stderr)


@contextmanager
def unchangeable(path: Path) -> Iterator[None]:
    """As chattr(1) makes it: not even root moves or deletes it, or anything in it."""
    place = os.open(path, os.O_RDONLY)
    try:
        before = fcntl.ioctl(place, _GET_FLAGS, bytes(8))
        flags = int.from_bytes(before, sys.byteorder) | _IMMUTABLE
        fcntl.ioctl(place, _SET_FLAGS, flags.to_bytes(8, sys.byteorder))
    except OSError:
        os.close(place)
        pytest.skip("this file system has no such attribute")
    try:
        yield
    finally:
        fcntl.ioctl(place, _SET_FLAGS, before)
        os.close(place)


class Tree:
    """A system tree. str() of it is its path, for --root."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "etc").mkdir(parents=True)
        (path / "run").mkdir()
        shutil.copytree(SOURCE / "systemd", path / "usr/lib/systemd/system")

    def __str__(self) -> str:
        return str(self.path)

    def sockwake(self, verb: str, *arguments: str) -> Ran:
        """Run bin/sockwake on this tree."""
        return run(*SOCKWAKE, verb, *arguments, "--root", str(self))

    def new(self, name: str, *options: str) -> dict[str, object]:
        """Make an instance, which must succeed; the output of --json."""
        ran = self.sockwake("new", name, "--version", "18", "--json", *options)
        assert ran.status == 0, ran
        described: dict[str, object] = json.loads(ran.stdout)
        return described

    def instance(self, name: str) -> Instance:
        return Instance(Name(name), str(self))

    def write_env(self, name: str, text: str) -> Instance:
        """An instance with nothing but its instance.env, as written by hand."""
        instance = self.instance(name)
        Path(instance.etc).mkdir(parents=True)
        Path(instance.env_file).write_text(text, encoding="utf-8", newline="")
        return instance

    def write_cluster(self, path: str, version: str) -> None:
        """Make what looks like a stopped cluster; path as seen in the tree."""
        directory = Path(f"{self}{path}")
        directory.mkdir(parents=True)
        (directory / "PG_VERSION").write_text(f"{version}\n")
        (directory / "postgresql.conf").write_text("")
        (directory / "pg_hba.conf").write_text("local all all scram-sha-256\n")

    def snapshot(self) -> dict[str, tuple[int, str]]:
        """Everything in the tree: path to (mode, content or link target)."""
        found = {}
        for path in sorted(self.path.rglob("*")):
            mode = path.lstat().st_mode
            content = (
                os.readlink(path)
                if stat.S_ISLNK(mode)
                else path.read_text()
                if stat.S_ISREG(mode)
                else ""
            )
            found[str(path.relative_to(self.path))] = (stat.S_IMODE(mode), content)
        return found

    def snapshot_of_names(self) -> dict[str, tuple[int, int]]:
        """Every path of the tree, also with files that cannot be read: path to (mode, size)."""
        return {
            str(path.relative_to(self.path)): (path.lstat().st_mode, path.lstat().st_size)
            for path in self.path.rglob("*")
        }

    def added_to(self, before: dict[str, tuple[int, str]]) -> list[str]:
        """The paths that are new, changed or gone since a snapshot()."""
        now = self.snapshot()
        return sorted(
            path for path in now.keys() | before.keys() if now.get(path) != before.get(path)
        )
