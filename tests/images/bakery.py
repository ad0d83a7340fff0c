"""Images of machines, made by the examples of docs/examples in a tree with their tools.

Each is kept in the cache of tests/machine, by what it is made of, and made anew when that changes.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
MACHINE = CHECKOUT / "tests/machine"
EXAMPLES = CHECKOUT / "docs/examples"
sys.path[:0] = [str(HERE), str(MACHINE)]

import archive  # noqa: E402
import cache  # noqa: E402
import mirror  # noqa: E402
import recipe  # noqa: E402

IMAGE = "postgres-18"  # a tree of tests/machine, and the name of its archive
TIMEOUT_S = 900
# in the view of the tree of tools: the package is installed, as on a builder's machine
_WITH_PACKAGE = 'dpkg --install /deb/*.deb >/dev/null && exec "$@"'


# as the head of the example's mkosi.conf has it
_MKOSI = f"""\
cp -r /examples/mkosi /out/mkosi && cd /out/mkosi &&
cp /archive/{IMAGE}.tar . && mkdir mkosi.packages && cp /deb/*.deb mkosi.packages/ &&
mkosi --sandbox-tree=/in/apt --output-directory=/out build &&
cd / && rm -r /out/mkosi
"""


class BakingError(Exception):
    """An image could not be made; the message has what was said."""


def container() -> Path:
    """The archive of the container image that is baked in."""
    made_of = recipe.load(IMAGE)

    def make(place: Path) -> None:
        archive.write(IMAGE, cache.tree(made_of), place / f"{IMAGE}.tar")

    key = _key(made_of.key, Path(archive.__file__))
    return cache.kept(f"{IMAGE}.archive", key, make) / f"{IMAGE}.tar"


def image(example: str, deb: Path) -> Path:
    """The folder that the example of this name makes, with this package; raises BakingError."""
    tools = recipe.load("builder")
    makes = {"mmdebstrap": _by_mmdebstrap, "mkosi": _by_mkosi}[example]
    sources = [*sorted((EXAMPLES / example).rglob("*")), deb, Path(__file__)]
    key = _key(f"{tools.key} {container().parent.name}", *sources)
    return cache.kept(f"baked.{example}", key, lambda place: makes(place, deb)) / "tree"


def _by_mmdebstrap(place: Path, deb: Path) -> None:
    hooks = "--hook-dir=/usr/share/mmdebstrap/hooks/file-mirror-automount"
    options = ["--format=directory", f"--include=/deb/{deb.name}", hooks]
    options += [f"--aptopt={line}" for line in mirror.options()]
    command = ["/examples/mmdebstrap/bake", "/out/tree", f"/archive/{IMAGE}.tar", *options]
    run_in_builder(place, deb, ["env", "SOURCES=/in/sources.list", *command])


def _by_mkosi(place: Path, deb: Path) -> None:
    apt = place / "in/apt/etc/apt"
    for name in ("sources.list.d", "apt.conf.d"):
        (apt / name).mkdir(parents=True)
    (apt / "sources.list.d/mkosi.sources").write_text(
        f"Types: deb\nURIs: {mirror.debian_uri()}\nSuites: trixie\nComponents: main\n"
        "Check-Valid-Until: no\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    )
    (apt / "apt.conf.d/mirror").write_text("".join(f"{line}\n" for line in mirror.options()))
    run_in_builder(place, deb, ["sh", "-c", _MKOSI])


def run_in_builder(place: Path, deb: Path, command: list[str]) -> str:
    """Run a command where the tools are; returns what it said, and raises BakingError.

    It finds the package below /deb, the container image below /archive, the examples below
    /examples, the mirror in /in/sources.list, and place at /out.
    """
    given = place / "in"
    given.mkdir(parents=True, exist_ok=True)
    (given / "sources.list").write_text(mirror.sources("trixie"))
    own = place / "deb"
    own.mkdir(exist_ok=True)
    (own / deb.name).write_bytes(deb.read_bytes())
    binds = {
        "/out": place,
        "/in": given,
        "/deb": own,
        "/archive": container().parent,
        "/examples": EXAMPLES,
        "/etc/resolv.conf": Path("/etc/resolv.conf"),
    }
    argv = [str(MACHINE / "machine"), "chroot", "builder"]
    argv += [word for at, path in binds.items() for word in ("--bind", f"{path}:{at}")]
    argv += ["--", "sh", "-c", _WITH_PACKAGE, "sh", *command]
    done = subprocess.run(
        argv,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
    )
    if done.returncode:
        raise BakingError(
            f"{' '.join(command)} ended with status {done.returncode}:\n{done.stdout}"
        )
    return done.stdout


def _key(first: str, *files: Path) -> str:
    """A hash over a text, and the names, modes and contents of files."""
    found = hashlib.sha256(first.encode())
    for path in files:
        if path.is_file():
            found.update(f"\0{path.name}\0{os.access(path, os.X_OK)}\0".encode())
            found.update(path.read_bytes())
    return found.hexdigest()[: cache.KEY_LENGTH]
