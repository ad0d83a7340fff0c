"""An instance of each kind, made in a tree, and the files that sockwake-new has written."""

import importlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tree import Tree

yaml: Any = importlib.import_module("yaml")  # Debian has no type stubs for it

CONTAINER = ("--kind", "container", "--image", "nginx:1.26", "--container-port", "80")
COMMAND = ("--kind", "command", "--exec", "/bin/true --bind 127.0.0.1 {port}")
NATIVE = ("--kind", "native", "--exec", "/bin/true 'a b' {data}")
PROJECT = ("--kind", "project", "--compose", "/srv/shop")
# as people have them: a database in front of which is a web server with two ports
COMPOSE_FILE = """\
services:
  web:
    image: nginx:1.26
    ports: ["127.0.0.1:8080:80", "[::1]:8080:80", "2222:22"]
    depends_on: [db]
  db:
    image: postgres:18
"""
OF_KIND = {
    "postgres": ("--version", "18"),
    "container": CONTAINER,
    "project": PROJECT,
    "command": COMMAND,
    "native": NATIVE,
}


def with_program(path: Path) -> Tree:
    """A tree with a program and a compose project in it."""
    tree = Tree(path)
    (tree.path / "srv/shop").mkdir(parents=True)
    (tree.path / "srv/shop/compose.yaml").write_text(COMPOSE_FILE)
    (tree.path / "bin").mkdir()
    shutil.copy("/bin/true", tree.path / "bin/true")
    return tree


def make(tree: Tree, name: str, options: Sequence[str]) -> dict[str, Any]:
    ran = tree.sockwake("new", name, "--json", *options)
    assert (ran.status, "error" in ran.stderr) == (0, False), ran
    described: dict[str, Any] = json.loads(ran.stdout)
    return described


def lines(tree: Tree, name: str = "a") -> list[str]:
    """The lines of instance.env that are no comments."""
    return [
        line
        for line in Path(tree.instance(name).env_file).read_text().splitlines()
        if not line.startswith("#")
    ]


def unit(tree: Tree, name: str = "a") -> list[str]:
    """The lines of service.conf."""
    return Path(tree.instance(name).service_file).read_text().splitlines()


def container(tree: Tree, name: str = "a") -> dict[str, Any]:
    service: dict[str, Any] = yaml.safe_load(Path(tree.instance(name).compose_file).read_text())[
        "services"
    ][name]
    return service
