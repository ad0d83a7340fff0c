"""Where images come from: a container engine, an archive or a registry, each by skopeo(1).

Whatever the source, its image is fetched as skopeo's "dir:", a directory with the image's manifest,
its configuration as it was made, byte for byte, and its layers, all named by digests that skopeo
has verified. "oci:" would not do: it writes Docker's configurations anew, and with them their
digests, by which everybody knows an image.
"""

import os
from typing import NamedTuple

from sockwake.errors import SockwakeError
from sockwake.system import process

_DOCKER, _PODMAN = "docker-daemon", "containers-storage"
REGISTRY = "docker"
_FILES = ("oci-archive", "docker-archive")
_SOCKET = "/run/docker.sock"
_NO_ROOM = "no space left on device"
# a killed sockwake takes them along
_MORTAL = ("setpriv", "--pdeathsig", "KILL")


class Source(NamedTuple):
    """An image by a name of skopeo's: transport "docker-daemon", place "postgres:18"."""

    transport: str
    place: str

    @property
    def reference(self) -> str:
        """What an engine or registry calls the image; "" for one in a file."""
        if self.transport in _FILES:
            return ""
        return self.place.removeprefix("//").removeprefix("@")

    def __str__(self) -> str:
        """Its name in an error."""
        return self.reference or self.place


def parse(text: str) -> Source:
    """The source of a name like docker-daemon:postgres:18; raises SockwakeError."""
    transport, _, place = text.partition(":")
    if transport not in (_DOCKER, _PODMAN, REGISTRY, *_FILES) or not place:
        raise SockwakeError(f"'{text}' is no place to take an image from")
    return Source(transport, place)


def resolve(source: Source) -> tuple[Source, str, int]:
    """The source by the ID that its engine has for it, that ID, and the bytes of the image.

    "" and 0 where nothing tells. Until the image is fetched its name may get another one.
    """
    if source.transport in _FILES:
        try:
            return source, "", os.stat(source.place.partition(":")[0]).st_size
        except OSError:
            return source, "", 0
    program = {_DOCKER: _docker(), _PODMAN: ["podman"]}.get(source.transport)
    if not program or not process.exists(program[0]):
        return source, "", 0
    inspect = ("image", "inspect", "--format", "{{.Id}} {{.Size}}", source.reference)
    found, _, size = process.run([*program, *inspect], check=False).strip().partition(" ")
    if not size.isdigit():
        return source, "", 0
    name = found.removeprefix("sha256:")
    place = f"@{name}" if source.transport == _PODMAN else f"sha256:{name}"
    return Source(source.transport, place), f"sha256:{name}", int(size)


def fetch(source: Source, into: str, name: object, *, quiet: bool) -> None:
    """Fetch the image into the directory `into`, which is made; raises SockwakeError.

    name: what errors call it. Files that take much room in between go beside that directory.
    """
    saved = f"{into}.tar"
    if source.transport == _DOCKER:
        # docker's client knows every version of its engine, skopeo does not
        run([*_docker(), "save", "--output", saved, source.place], name)
        source = Source("docker-archive", saved)
    options = ["--dest-decompress", f"--tmpdir={os.path.dirname(into)}"]
    show = not quiet and source.transport == REGISTRY
    options += [] if show else ["--quiet"]
    run(
        ["skopeo", "copy", *options, f"{source.transport}:{source.place}", f"dir:{into}"],
        name,
        show=show,
    )
    if os.path.lexists(saved):
        os.unlink(saved)


def run(argv: list[str], name: object, *, show: bool = False) -> str:
    """Run a program that ends with this process; raises SockwakeError about the named image."""
    try:
        return process.run([*_MORTAL, *argv], show=show, timeout=None)
    except process.ProgramError as error:
        said = _message(error.said)
        problem = "there is no room for" if _NO_ROOM in said else f"{argv[0]} cannot give"
        raise SockwakeError(f"{problem} image {name}", said=said) from None


def _message(line: str) -> str:
    """What skopeo says in a line of its log: time="…" level=fatal msg="…"."""
    _, marker, message = line.partition(' msg="')
    return message.removesuffix('"').replace('\\"', '"') if marker else line


def _docker() -> list[str]:
    return ["docker", f"--host=unix://{_SOCKET}"]
