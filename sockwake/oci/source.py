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
    """An image by a name of skopeo's: transport "docker-daemon", place "postgres:18".

    architecture: the one to take of several, "" for that of this machine.
    """

    transport: str
    place: str
    architecture: str = ""

    @property
    def reference(self) -> str:
        """What an engine or registry calls the image; "" for one in a file."""
        if self.transport in _FILES:
            return ""
        return self.place.removeprefix("//").removeprefix("@")

    @property
    def skopeos(self) -> str:
        """Its name as skopeo takes it."""
        return f"{self.transport}:{self.place}"

    def __str__(self) -> str:
        """Its name in an error."""
        return self.reference or self.place


def parse(text: str, architecture: str = "") -> Source:
    """The source of a name like docker-daemon:postgres:18; raises SockwakeError.

    architecture: as images call it, "" for this machine's.
    """
    transport, _, place = text.partition(":")
    if transport not in (_DOCKER, _PODMAN, REGISTRY, *_FILES) or not place:
        raise SockwakeError(f"'{text}' is no place to take an image from")
    return Source(transport, place, architecture)


class Found(NamedTuple):
    """A source by the ID that its engine has for the image, that ID, and bytes it takes at least.

    engine_id and architecture are "" and size 0 where nothing tells. A name may be another image's
    in a moment, an ID not.
    """

    source: Source
    engine_id: str = ""
    size: int = 0
    architecture: str = ""


def resolve(source: Source, called: object = "") -> Found:
    """What the source says of the image before it is fetched; raises SockwakeError.

    called: what errors call it.
    """
    if source.transport in (REGISTRY, *_FILES):
        return _inspected(source, called or source)
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


def _inspected(source: Source, called: object) -> Found:
    """The digest of an image's configuration, and how many bytes its layers are to be sent."""
    import json

    inspect = [*_skopeo(source), "inspect", "--no-tags"]
    name = source.skopeos
    config = run([*inspect, "--config", "--raw", name], called)
    if source.transport in _FILES:
        size = os.stat(source.place.partition(":")[0]).st_size
    else:
        each = "{{range .LayersData}}{{.Size}} {{end}}"
        sizes = run([*inspect, "--format", each, name], called)
        size = sum(int(word) for word in sizes.split() if word.isdigit())
    try:
        said = json.loads(config)
        architecture = str(said.get("architecture") or "") if isinstance(said, dict) else ""
    except (ValueError, RecursionError):
        architecture = ""
    return Found(source, digest_of(config), size, architecture)


def _skopeo(source: Source) -> list[str]:
    """skopeo, which takes the image of one architecture."""
    return ["skopeo", *(["--override-arch", source.architecture] if source.architecture else [])]


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
    skopeo = [*outside, "podman", "unshare", "skopeo"] if outside else _skopeo(source)
    names = [source.skopeos, f"dir:{into}"]
    run([*skopeo, "copy", *options, *names], name, show=show)
    if os.path.lexists(saved):
        os.unlink(saved)


def digest_of(config: str) -> str:
    """The digest of an image's configuration, which is that of the image."""
    from hashlib import sha256

    return f"sha256:{sha256(config.encode()).hexdigest()}"


def run(
    argv: list[str],
    name: object,
    deed: str = "fetched",
    *,
    show: bool = False,
    cwd: str | None = None,
) -> str:
    """Run a program that ends with this process; raises SockwakeError about the named image.

    deed: what cannot be done to the image when the program fails. cwd: where it runs.
    """
    try:
        return process.run([*_MORTAL, *argv], show=show, timeout=None, cwd=cwd)
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
