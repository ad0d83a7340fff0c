"""Docker's own directory with images in it, made once by the Docker of a machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import arrival
import cache
import life
import recipe
import session
from failure import Failure
from guest import Machine
from recipe import Recipe

# What a running container brings itself, and what only a package manager wants.
LEFT_OUT = ("./dev/*", "./proc/*", "./sys/*", "./tmp/*", "./var/lib/apt/lists/*")

IMPORT_TIMEOUT_S = 300


def docker_folder(tree: Recipe) -> Path | None:
    """The folder to seed a machine's /var/lib/docker with; None when nothing is preloaded."""
    if not tree.preload:
        return None
    images = [recipe.load(name) for name in tree.preload]
    key = recipe.preload_key(tree)
    return cache.kept(f"{tree.name}.docker", key, lambda path: _fill(tree, images, path))


def _fill(tree: Recipe, images: list[Recipe], target: Path) -> None:
    # Half of a build is waiting: for the mirror, for the disk.
    with ThreadPoolExecutor() as pool:
        root, *trees = pool.map(cache.tree, [tree, *images])
    machine = Machine(f"preload-{os.getpid()}")
    try:
        lock = life.create(machine, root, None, [])
        life.launch(machine, lock, os.pidfd_open(os.getpid()))
        arrival.up(machine)
        for image, path in zip(images, trees, strict=True):
            _import(machine, image, path)
        # Killed, Docker would leave databases behind that have to be repaired at each start.
        session.ask(machine, ["systemctl", "poweroff"], 30)
        arrival.down(machine)
        target.rmdir()
        (machine.state / "real/docker").rename(target)
    except Failure as failure:
        log = target.with_name(f"{tree.name}.docker.log")
        shutil.copy(machine.console, log)
        raise Failure(failure.args[0], f"what it said: {log}") from failure
    finally:
        life.take_away(machine)


def _import(machine: Machine, image: Recipe, tree: Path) -> None:
    if image.image is None:
        raise Failure(f"tree '{image.name}' has no [image] and cannot be preloaded")
    command = ["docker", "import"]
    for change in image.image.changes:
        command += ["--change", change]
    excluded = [f"--exclude={pattern}" for pattern in LEFT_OUT]
    archive = subprocess.Popen(
        ["tar", "--create", "--numeric-owner", *excluded, f"--directory={tree}", "."],
        stdout=subprocess.PIPE,
    )
    assert archive.stdout is not None
    with (
        archive,
        session.start(
            machine,
            [*command, "-", image.image.name],
            stdin=archive.stdout.fileno(),
            stdout=subprocess.DEVNULL,
        ) as docker,
    ):
        archive.stdout.close()
        _, said = docker.communicate(timeout=IMPORT_TIMEOUT_S)
    if docker.returncode != 0 or archive.returncode != 0:
        raise Failure(f"cannot make image '{image.image.name}': {said.strip()}")
