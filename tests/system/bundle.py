"""OCI bundles made by the package's own translator, and containers that crun runs from them."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from program import Ran, must, run

PACKAGE = "/usr/share/sockwake"
ROOT = "/run/crun-of-the-tests"
_TRANSLATE = f"""
import json, sys
sys.path.insert(0, {PACKAGE!r})
from sockwake.oci import spec
said = json.load(sys.stdin)
service = said["service"]
ask = getattr(spec, said["of"])
configuration = ask(service, said["image"], said["root"], name="pg1", **said["more"])
limits, files = spec.limits(service), spec.etc_files(service, "pg1")
why = spec.why_engine(service, said["image"], has_cluster=True)
print(json.dumps([configuration, files, limits, why]))
"""


def require_crun() -> None:
    """Skip the test on a machine that has no crun, or not the engines' seccomp profile."""
    if not shutil.which("crun") or not os.path.exists("/usr/share/containers/seccomp.json"):
        pytest.skip("crun is not on this machine, or the engines' seccomp profile")


@dataclass(frozen=True)
class Image:
    """An image of Docker's, unpacked. config: as in its OCI configuration."""

    root: Path
    config: dict[str, Any]


@contextmanager
def unpacked(name: str) -> Iterator[Image]:
    """The file system of an image, as long as it is needed; every user may read it."""
    (config,) = json.loads(must("docker", "image", "inspect", name))
    folder = Path(tempfile.mkdtemp(dir="/var/tmp"))
    folder.chmod(0o755)
    container = must("docker", "create", name).strip()
    try:
        must("sh", "-c", f"docker export {container} | tar -x -C {folder}", timeout=120)
    finally:
        must("docker", "rm", "--volumes", container)
    yield Image(folder, config["Config"])
    shutil.rmtree(folder)


@dataclass(frozen=True)
class Bundle:
    """A bundle. limits: of its unit. why_engine: what the translator has against it."""

    path: Path
    limits: dict[str, str]
    why_engine: str

    def command(self, *, unit: str = "", settings: Sequence[str] = ()) -> list[str]:
        """The command line that runs it in a unit of its own, as a wake does."""
        said = [f"{key}={value}" for key, value in self.limits.items()]
        properties = [word for each in [*said, *settings] for word in ("--property", each)]
        name = unit or self.path.name
        return [
            *("systemd-run", "--quiet", "--collect", f"--unit={name}", *properties),
            *([] if unit else ["--wait", "--pipe"]),
            *("crun", "--cgroup-manager=disabled", "--root", ROOT),
            *("run", "--bundle", str(self.path), name),
        ]

    def run(self, *, timeout: float = 60, settings: Sequence[str] = ()) -> Ran:
        """Run it to its end."""
        return run(*self.command(settings=settings), timeout=timeout)


def translate(
    folder: Path,
    name: str,
    image: Image,
    service: Mapping[str, object],
    of: str,
    args: Sequence[str] = (),
    **more: object,
) -> Bundle:
    """Make a bundle. of: the function of sockwake.oci.spec to ask, with these keywords.

    args: what the container runs instead of its own command.
    """
    asked = {
        "service": service,
        "image": image.config,
        "root": str(image.root),
        "of": of,
        "more": more,
    }
    said = run(sys.executable, "-IBc", _TRANSLATE, stdin=json.dumps(asked)).expect(0)
    configuration, files, limits, why = json.loads(said.out)
    if args:
        configuration["process"]["args"] = list(args)
    path = folder / name
    (path / "etc").mkdir(parents=True)
    for each, text in files.items():
        (path / "etc" / each).write_text(text)
    (path / "config.json").write_text(json.dumps(configuration))
    path.chmod(0o700)
    return Bundle(path, limits, why)
