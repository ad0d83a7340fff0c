"""Images of an engine: check that one is on this machine, and pull it."""

import json
from typing import Any

from sockwake.config import scope
from sockwake.engine import archives
from sockwake.engine.api import Engine, EngineError, quoted
from sockwake.errors import SockwakeError
from sockwake.system import process

_NAMES = {
    "docker": "is its name right?",
    "podman": "is its name right, with its registry, as in docker.io/library/postgres:18?",
}


def require_image(engine: Engine, image: str) -> bytes:
    """What the engine says of the image; raises SockwakeError unless it is on this machine."""
    try:
        return engine.call("GET", f"/images/{quoted(image)}/json")
    except EngineError as error:
        if error.code != 404:
            raise
        raise SockwakeError(
            f"image {image} is not on this machine", f"{engine.program} pull {image}"
        ) from None


def bring(engine: Engine, image: str) -> bytes:
    """What the engine says of the image, which is loaded first where it came with the machine.

    Raises SockwakeError when it is not to be had so.
    """
    try:
        return require_image(engine, image)
    except SockwakeError:
        path = archives.find(image)
        if not path:
            raise
    try:
        process.run([*_client(engine), "load", "--input", path], timeout=None)
    except process.ProgramError as error:
        raise SockwakeError(
            f"image {image} cannot be loaded from {path}", said=error.said
        ) from None
    return require_image(engine, image)


def config(engine: Engine, image: str) -> dict[str, Any]:
    """What the image says of its containers: "Env", "User", "Cmd" …; raises EngineError."""
    answer = engine.call("GET", f"/images/{quoted(image)}/json")
    try:
        return dict(json.loads(answer)["Config"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise EngineError(f"the container engine does not tell what image {image} is") from None


def environment(config: dict[str, Any]) -> dict[str, str]:
    """The variables that an image sets, by its config()."""
    pairs = (str(line).partition("=") for line in config.get("Env") or ())
    return {name: value for name, _, value in pairs}


def server_arguments(config: dict[str, Any]) -> list[str]:
    """What a derived image has its server do beside the official one, as by CMD postgres -c …"""
    program, *arguments = config.get("Cmd") or [""]
    return [str(each) for each in arguments] if program == "postgres" else []


def pull(engine: Engine, image: str, *, quiet: bool) -> None:
    """Pull the image unless it is here; the engine's client shows the progress on stderr."""
    try:
        bring(engine, image)
    except SockwakeError as missing:
        try:
            pull_anew(engine, image, quiet=quiet)
        except process.ProgramError as error:
            raise SockwakeError(
                f"image {image} is neither on this machine nor to be had",
                f"{_NAMES[engine.program]} {engine.program} load brings one without a registry",
                said=error.said,
            ) from missing


def pull_anew(engine: Engine, image: str, *, quiet: bool) -> None:
    """Pull what the registry has by this name now; raises ProgramError."""
    names = [image, *([hub] if engine.is_podman and (hub := in_docker_hub(image)) else [])]
    for name in names:
        command = [*_client(engine), "pull", *(["--quiet"] if quiet else []), name]
        try:
            process.run(command, show=not quiet, timeout=None)
            return
        except process.ProgramError:
            if name == names[-1]:
                raise


def in_docker_hub(image: str) -> str:
    """What an image without a registry is called in full by docker, and by podman's API; else "".

    podman's client knows many by their short names, and others by no name.
    """
    first, slash, _ = image.partition("/")
    if slash and (first == "localhost" or "." in first or ":" in first):
        return ""
    return f"docker.io/{image}" if slash else f"docker.io/library/{image}"


def _client(engine: Engine) -> list[str]:
    if scope.is_user():  # outside the user namespace that this process has entered
        return ["systemd-run", "--user", "--quiet", "--collect", "--pipe", "--wait", "podman"]
    return ["podman"] if engine.is_podman else ["docker", f"--host=unix://{engine.path}"]
