"""A system tree to bake instances into, looked at from outside, and what a machine takes of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from program import Ran, must, run

_UNITS = Path("/usr/lib/systemd/system")
# all that needs an engine, a registry or compose; none of it is on a machine that was baked
PROGRAMS = ("docker", "docker-compose", "dockerd", "podman", "skopeo", "umoci")
WHEN = 1700000000  # seconds; SOURCE_DATE_EPOCH


class BakedTree:
    """A tree with the package in it, as far as baking looks at it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        units = path / _UNITS.relative_to("/")
        units.mkdir(parents=True)
        for unit in [*_UNITS.glob("pg-*@.*"), *_UNITS.glob("sockwake*")]:
            shutil.copy2(unit, units)
        (path / "usr/bin").mkdir()
        shutil.copy2("/usr/bin/env", path / "usr/bin")
        (path / "etc").mkdir()
        (path / "var/lib").mkdir(parents=True)
        for folder in path.rglob("*"):
            must("touch", "--date", f"@{WHEN}", str(folder))

    def __str__(self) -> str:
        return str(self.path)

    def new(self, name: str, *options: str, before: tuple[str, ...] = ()) -> Ran:
        """Bake an instance. before: a command that runs sockwake-new."""
        argv = (*before, "sockwake-new", name, *options, "--root", str(self))
        return run(*argv, env={"SOURCE_DATE_EPOCH": str(WHEN)}, timeout=180)

    def listed(self) -> list[str]:
        """Type, mode, owner, time, size and target of all in it, and the digests of its files."""
        found = must("find", ".", "-printf", r"%M %U:%G %T@ %s %p %l\n", cwd=str(self))
        sums = "find . -type f -print0 | sort -z | xargs -0 sha256sum"
        # the size of a directory is the file system's
        lines = [line for line in found.splitlines() if not line.startswith("d")]
        folders = [line.split() for line in found.splitlines() if line.startswith("d")]
        lines += [" ".join([*words[:3], *words[4:]]) for words in folders]
        return sorted(lines) + must("sh", "-c", sums, cwd=str(self)).splitlines()

    def boot(self) -> None:
        """Give this machine what the tree has of instances, as if it had booted from it."""
        for place in ("etc/sockwake", "var/lib/sockwake", "etc/systemd/system", "srv"):
            if (self.path / place).exists():
                Path("/", place).mkdir(parents=True, exist_ok=True)
                must("cp", "--archive", f"{self.path / place}/.", f"/{place}/")
        must("systemctl", "daemon-reload")


@contextmanager
def hidden() -> Iterator[None]:
    """Have no container engine, compose or tool of images on this machine."""
    must("systemctl", "stop", "docker.socket", "docker.service", "podman.socket", timeout=120)
    paths = [Path(found) for name in PROGRAMS if (found := shutil.which(name))]
    away = {path: path.with_name(f".{path.name}.away") for path in paths}
    for path, other in away.items():
        path.rename(other)
    try:
        yield
    finally:
        for path, other in away.items():
            other.rename(path)
        must("systemctl", "start", "docker.socket", "docker.service", timeout=120)
        run("systemctl", "start", "podman.socket")
