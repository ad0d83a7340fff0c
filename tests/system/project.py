"""A compose project as an instance under test, where it lies."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from program import Ran, must, run
from service import Service

SOURCES = Path(__file__).parent / "projects"
FOLDER = Path("/srv/projects-of-the-tests")
MakeProject = Callable[..., "Project"]


class Project(Service):
    """The instance NAME of the compose project in a directory of its own."""

    def __init__(self, name: str, directory: Path) -> None:
        super().__init__(name)
        self.directory = directory

    @property
    def ports(self) -> list[int]:
        return [int(port) for port in re.findall(r":(\d+)=", self.setting("PORTS"))]

    @property
    def port(self) -> int:
        return self.ports[0]

    def compose(self, *arguments: str, status: int = 0) -> str:
        """docker compose in its directory, as its owner types it."""
        ran = run("docker-compose", *arguments, cwd=str(self.directory), timeout=120)
        return ran.expect(status).out

    def containers(self, *, all_of_them: bool = True) -> list[str]:
        """The names of its containers."""
        label = f"--filter=label=com.docker.compose.project={self.directory.name}"
        every = ["--all"] if all_of_them else []
        return must("docker", "ps", *every, "--format={{.Names}}", label).split()

    def pid_of(self, service: str) -> int:
        """The first process of a service, 0 when it does not run."""
        name = f"{self.directory.name}-{service}-1"
        shown = run("docker", "inspect", "--format", "{{.State.Pid}}", name)
        return int(shown.out) if shown.status == 0 else 0

    def server_pid(self) -> int:
        """The first process of the service that clients are led to, or of another that runs."""
        names = [name.split("-")[-2] for name in self.containers(all_of_them=False)]
        first = self.setting("PORTS").partition("=")[2].partition(":")[0]
        return self.pid_of(first) or next(filter(None, map(self.pid_of, names)), 0)

    def processes(self) -> list[str]:
        """Every process of its units, and every container that runs."""
        return [*super().processes(), *self.containers(all_of_them=False)]


def lay_out(source: str, name: str = "") -> Path:
    """A copy of tests/system/projects/SOURCE, where an administrator would have it."""
    directory = FOLDER / (name or source)
    shutil.copytree(SOURCES / source, directory)
    for path in [FOLDER, directory, *directory.rglob("*")]:
        os.chown(path, 0, 0)
        path.chmod(0o755 if path.is_dir() else 0o644)
    return directory


def write(name: str, services: Mapping[str, object], **sections: object) -> Path:
    """A project of these services, where an administrator would have it."""
    directory = FOLDER / name
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "compose.yaml"
    file.write_text(json.dumps({"services": services, **sections}))
    return directory


def sweep() -> None:
    """Remove every project of the tests, with what compose has made of it."""
    for directory in FOLDER.glob("*"):
        run(
            "docker-compose", "--profile", "*", "down", "--volumes", cwd=str(directory), timeout=120
        )
    shutil.rmtree(FOLDER, ignore_errors=True)


def new(name: str, directory: Path, *options: str) -> Ran:
    """sockwake-new as it is typed."""
    return run(
        *("sockwake-new", name, "--kind", "container", "--compose", str(directory)),
        *("--idle", "1s", "--enable", *options),
        timeout=120,
    )


def make(
    know: Callable[[Project], Project],
    source: str,
    *options: str,
    name: str = "shop",
    status: int = 0,
) -> Project:
    """The instance of a copy of projects/SOURCE. know: has it removed when the test has ended."""
    directory = FOLDER / source
    if not directory.exists():
        lay_out(source)
    one = know(Project(name, directory))
    one.made = new(name, directory, *options).expect(status)
    return one
