"""Where images come from: a container engine, an archive or a registry, each by skopeo(1).

Whatever the source, its image is fetched as skopeo's "dir:", a directory with the image's manifest,
its configuration as it was made, byte for byte, and its layers, all named by digests that skopeo
has verified. "oci:" would not do: it writes Docker's configurations anew, and with them their
digests, by which everybody knows an image.
"""

import os
from typing import NamedTuple

from sockwake.config import scope
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


class Found(NamedTuple):
    """A source by the ID that its engine has for the image, that ID, and bytes it takes at least.

    engine_id is "" and size 0 where nothing tells. A name may be another image's in a moment, an ID
    not.
    """

    source: Source
    engine_id: str = ""
    size: int = 0


def resolve(source: Source) -> Found:
    """What the source says of the image before it is fetched; raises SockwakeError."""
    if source.transport == REGISTRY:
        return _in_registry(source)
    if source.transport in _FILES:
        try:
            return Found(source, size=os.stat(source.place.partition(":")[0]).st_size)
        except OSError:
            return Found(source)
    program = _docker() if source.transport == _DOCKER else [*_outside(), "podman"]
    if not process.exists(program[-1] if source.transport == _PODMAN else program[0]):
        return Found(source)
    inspect = ("image", "inspect", "--format", "{{.Id}} {{.Size}}", source.reference)
    found, _, size = process.run([*program, *inspect], check=False).strip().partition(" ")
    if not size.isdigit():
        return Found(source)
    name = found.removeprefix("sha256:")
    place = f"@{name}" if source.transport == _PODMAN else f"sha256:{name}"
    return Found(Source(source.transport, place), f"sha256:{name}", int(size))


def _in_registry(source: Source) -> Found:
    """The digest of an image's configuration, and how many bytes its layers are to be sent."""
    from hashlib import sha256

    inspect = ["skopeo", "inspect", "--no-tags"]
    name = f"{source.transport}:{source.place}"
    config = run([*inspect, "--config", "--raw", name], source)
    sizes = run([*inspect, "--format", "{{range .LayersData}}{{.Size}} {{end}}", name], source)
    size = sum(int(word) for word in sizes.split() if word.isdigit())
    return Found(source, f"sha256:{sha256(config.encode()).hexdigest()}", size)


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
    outside = _outside() if source.transport == _PODMAN else []
    skopeo = [*outside, "podman", "unshare", "skopeo"] if outside else ["skopeo"]
    names = [f"{source.transport}:{source.place}", f"dir:{into}"]
    run([*skopeo, "copy", *options, *names], name, show=show)
    if os.path.lexists(saved):
        os.unlink(saved)


def run(argv: list[str], name: object, deed: str = "fetched", *, show: bool = False) -> str:
    """Run a program that ends with this process; raises SockwakeError about the named image.

    deed: what cannot be done to the image when the program fails.
    """
    try:
        return process.run([*_MORTAL, *argv], show=show, timeout=None)
    except process.ProgramError as error:
        said = _message(error.said)
        is_full = _NO_ROOM in said
        problem = (
            f"there is no room for image {name}" if is_full else f"image {name} cannot be {deed}"
        )
        raise SockwakeError(problem, said=said) from None


def _message(line: str) -> str:
    """What skopeo says in a line of its log, msg="…", and umoci after a cross."""
    line = line.removeprefix("⨯ ")
    _, marker, message = line.partition(' msg="')
    return message.removesuffix('"').replace('\\"', '"') if marker else line


def _outside() -> list[str]:
    """How to run podman, which does not work inside the user namespace that we have entered."""
    if not scope.is_user():
        return []
    return ["systemd-run", "--user", "--quiet", "--collect", "--pipe", "--wait"]


def _docker() -> list[str]:
    return ["docker", f"--host=unix://{_SOCKET}"]
