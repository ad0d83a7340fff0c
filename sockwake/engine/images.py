"""Images of an engine: whether one is here, and getting it."""

from sockwake.config import scope
from sockwake.engine.api import Engine, EngineError, quoted
from sockwake.errors import SockwakeError
from sockwake.system import process

_NAMES = {
    "docker": "is its name right?",
    "podman": "is its name right, with its registry, as in docker.io/library/postgres:18?",
}


def require_image(engine: Engine, image: str) -> None:
    """Raise SockwakeError unless the image is on this machine."""
    try:
        engine.call("GET", f"/images/{quoted(image)}/json")
    except EngineError as error:
        if error.code != 404:
            raise
        raise SockwakeError(
            f"image {image} is not on this machine", f"{engine.program} pull {image}"
        ) from None


def pull(engine: Engine, image: str, *, quiet: bool) -> None:
    """Get the image if it is not here; the engine's own client shows the progress on stderr."""
    try:
        require_image(engine, image)
    except SockwakeError as missing:
        command = [*_client(engine), "pull", *(["--quiet"] if quiet else []), image]
        try:
            process.run(command, show=not quiet, timeout=None)  # the user sees how far it is
        except process.ProgramError as error:
            raise SockwakeError(
                f"image {image} is neither on this machine nor to be had",
                f"{_NAMES[engine.program]} {engine.program} load brings one without a registry",
                said=error.said,
            ) from missing


def _client(engine: Engine) -> list[str]:
    if scope.is_user():  # outside the user namespace we are in
        return ["systemd-run", "--user", "--quiet", "--collect", "--pipe", "--wait", "podman"]
    return ["podman"] if engine.is_podman else ["docker", f"--host=unix://{engine.path}"]
