"""What a tree is made of: one TOML file per tree in trees/, plain text to be edited."""

from __future__ import annotations

import hashlib
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

from failure import Failure

HERE = Path(__file__).resolve().parent

# Raised by hand when the way trees are built changes what comes out.
FORMAT = "1"

KEYS = {"suite", "variant", "packages", "prepare", "files", "finish", "slim", "preload", "image"}


@dataclass(frozen=True)
class Image:
    """A container image made of a tree: its name and `docker import --change` lines."""

    name: str
    changes: tuple[str, ...]


@dataclass(frozen=True)
class Recipe:
    """One tree. `prepare` and `finish` are programs called with the tree's path, before
    and after the packages; `files` is a folder copied over it before `finish`."""

    name: str
    suite: str
    variant: str
    packages: tuple[str, ...]
    prepare: Path | None
    files: Path | None
    finish: Path | None
    slim: bool
    preload: tuple[str, ...]
    image: Image | None
    key: str


def names() -> list[str]:
    """Every tree there is a recipe for."""
    return sorted(path.stem for path in (HERE / "trees").glob("*.toml"))


def load(name: str) -> Recipe:
    """Read one recipe. Raises Failure for an unknown tree or a malformed recipe."""
    path = HERE / "trees" / f"{name}.toml"
    if name not in names():
        raise Failure(f"there is no tree '{name}'", f"trees are: {', '.join(names())}")
    try:
        table = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise Failure(f"{path} is not valid: {error}") from error
    if unknown := table.keys() - KEYS:
        raise Failure(f"{path} has an unknown key '{min(unknown)}'")
    if missing := {"suite", "variant", "packages"} - table.keys():
        raise Failure(f"{path} lacks the key '{min(missing)}'")
    image = table.get("image")
    inputs = {key: HERE / table[key] for key in ("prepare", "files", "finish") if key in table}
    return Recipe(
        name=name,
        suite=table["suite"],
        variant=table["variant"],
        packages=tuple(table["packages"].split()),
        prepare=inputs.get("prepare"),
        files=inputs.get("files"),
        finish=inputs.get("finish"),
        slim=table.get("slim", False),
        preload=tuple(table.get("preload", ())),
        image=Image(image["name"], tuple(image["changes"])) if image else None,
        key=_key([path, *inputs.values()]),
    )


def preload_key(recipe: Recipe) -> str:
    """The key of the Docker directory that has the recipe's images loaded."""
    keys = [recipe.key, *(load(name).key for name in recipe.preload)]
    return hashlib.sha256(" ".join(keys).encode()).hexdigest()[:16]


def _key(inputs: list[Path]) -> str:
    """A hash over names, modes and contents: what git keeps of a file, and no more."""
    digest = hashlib.sha256(FORMAT.encode())
    for top in inputs:
        if not top.exists():
            raise Failure(f"{top} is missing, a recipe names it")
        for path in sorted([top, *top.rglob("*")]):
            if path.is_dir() and not path.is_symlink():
                continue
            content = os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
            executable = os.access(path, os.X_OK)
            digest.update(f"\0{path.relative_to(HERE)}\0{executable}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()[:16]
