"""Trees made once and kept: each under the hash of what went into it, whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import host
import leash
import mirror
from failure import Failure
from recipe import Recipe
from store import folder, locked, try_lock

# Hexadecimal digits of the hash in a tree's name.
KEY_LENGTH = 16

# Two checkouts whose recipes differ shall not rebuild each other's trees in turn.
KEEP_S = 3600

# Downloads included: a slow mirror must end in an error and not in a test run that hangs.
BUILD_TIMEOUT_S = 1800


def tree(recipe: Recipe) -> Path:
    """The recipe's tree, built when there is none for its present inputs."""
    return kept(recipe.name, recipe.key, lambda path: _bootstrap(recipe, path))


def kept(name: str, key: str, build: Callable[[Path], None]) -> Path:
    """The folder NAME-KEY; `build` fills a fresh one under another name when it is missing.

    It is not removed while this process lives. One process builds at a time; others wait.
    """
    path = folder() / "trees" / f"{name}-{key}"
    lock = path.with_name(f"{name}.lock")
    while held(path) is None:
        with locked(lock, f"another build of '{name}'", BUILD_TIMEOUT_S):
            if not path.is_dir():
                _build(path, name, build)
    return path


def _build(path: Path, name: str, build: Callable[[Path], None]) -> None:
    """Make `path`, whole or not at all; then remove its predecessors that are not in use."""
    _remove_where(lambda other: other.name.startswith(f"tmp.{name}-"))
    temporary = path.with_name(f"tmp.{path.name}")
    temporary.mkdir()
    held(temporary)
    began = time.monotonic()
    print(f"machine: building '{name}'", file=sys.stderr)
    try:
        build(temporary)
        temporary.rename(path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    print(f"machine: built '{name}' in {time.monotonic() - began:.0f} s", file=sys.stderr)
    _remove_where(
        lambda other: other.name[:-KEY_LENGTH] == f"{name}-"
        and other != path
        and time.time() - other.stat().st_mtime > KEEP_S
    )


def held(path: Path) -> int | None:
    """Keep a tree from being removed for as long as the returned descriptor is open.

    None when it was removed in the meantime.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    if path.is_dir():
        # Its time is that of its last use; a cache may also be mounted read-only.
        with contextlib.suppress(OSError):
            os.utime(path)
        return descriptor
    os.close(descriptor)
    return None


def remove_all() -> None:
    """Remove every tree that no machine uses."""
    _remove_where(lambda path: True)


def _remove_where(chosen: Callable[[Path], bool]) -> None:
    """Remove the chosen folders that are neither held nor named by a machine."""
    named = set()
    for path in folder().glob("machines/*/tree"):
        with contextlib.suppress(FileNotFoundError):
            named.add(path.read_text().strip())
    for path in (folder() / "trees").iterdir():
        if not path.is_dir() or not chosen(path) or path.name in named:
            continue
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        if try_lock(descriptor, fcntl.LOCK_EX):
            # Renamed first: a removal that is killed half way leaves nothing to be believed.
            gone = path.with_name(f"tmp.gone-{path.name}")
            path.rename(gone)
            shutil.rmtree(gone)
        os.close(descriptor)


def _bootstrap(recipe: Recipe, path: Path) -> None:
    host.need("mmdebstrap")
    argv = [*leash.ARGV, "mmdebstrap"]
    argv += ["--mode=root", "--format=directory", f"--variant={recipe.variant}"]
    argv += [f"--include={','.join(recipe.packages)}"]
    argv += [f"--aptopt={line}" for line in mirror.options()]
    if recipe.slim:
        excluded = ("doc", "info", "lintian", "locale", "man")
        argv += [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in excluded]
        argv += ["--dpkgopt=path-include=/usr/share/doc/*/copyright"]
        # What a recipe put into /run is there for good: no container mounts anything over it.
        argv += ["--skip=cleanup/run"]
    if recipe.prepare:
        argv += [f"--essential-hook={recipe.prepare}"]
    if recipe.files:
        # Not what git does not keep: owner, and modes beyond the executable bit.
        argv += [f'--customize-hook=umask 022; cp -rPT "{recipe.files}" "$1"']
    if recipe.finish:
        argv += [f"--customize-hook={recipe.finish}"]
    argv += [f"--customize-hook={_NEUTRAL}", recipe.suite, str(path), "-"]
    log = path.with_name(f"{recipe.name}.log")
    with log.open("w") as output:
        done = subprocess.run(
            argv,
            check=False,
            input=mirror.sources(recipe.suite),
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=BUILD_TIMEOUT_S,
            env=os.environ | {"LC_ALL": "C.UTF-8"},
        )
    if done.returncode != 0:
        errors = [line for line in log.read_text().splitlines() if line.startswith("E:")]
        said = errors[0] if errors else f"status {done.returncode}"
        raise Failure(f"mmdebstrap could not build tree '{recipe.name}': {said}", f"see {log}")


# A tree remembers nothing of the host it was made on: no mirror, no name, no resolver.
_NEUTRAL = """
rm -rf "$1"/etc/apt/sources.list.d/* "$1"/etc/apt/apt.conf.d/99mmdebstrap "$1"/etc/resolv.conf
echo '# no mirror: this tree is complete' > "$1/etc/apt/sources.list"
echo guest > "$1/etc/hostname"
printf '127.0.0.1 localhost\\n::1 localhost\\n' > "$1/etc/hosts"
"""
