"""What the process of a container is told: its command line and its variables."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from sockwake.errors import SockwakeError
from sockwake.oci import rootfs

Service = Mapping[str, Any]
Image = Mapping[str, Any]

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def server_command(service: Service, image: Image, root: str) -> list[str]:
    """The command line of a PostgreSQL, without the image's entrypoint: its path, its options."""
    words = [plain(each) for each in service.get("command") or image.get("Cmd") or ["postgres"]]
    if words[0].startswith("-"):
        words.insert(0, "postgres")
    variables = variables_of(service, image)
    path = rootfs.program(root, words[0], variables["PATH"])
    has_data = any(each.startswith("-D") for each in words)
    if not has_data and not variables.get("PGDATA"):
        raise SockwakeError("the image does not say where its cluster is (PGDATA)")
    return [path, *([] if has_data else ["-D", variables["PGDATA"]]), *words[1:]]


def command(service: Service, image: Image) -> list[str]:
    """The command line that an engine would run."""
    entrypoint, said = service.get("entrypoint"), _words(service.get("command"))
    if entrypoint is None:
        start = _words(image.get("Entrypoint"))
        said = said or _words(image.get("Cmd"))
    else:
        start = _words(entrypoint)
        said = said or ([] if start else _words(image.get("Cmd")))
    if not start + said:
        raise SockwakeError("neither the image nor compose.yaml says what to run")
    return start + said


def variables_of(service: Service, image: Image) -> dict[str, str]:
    """The variables of the service's container: the image's, with those of the files."""
    made = {"PATH": _PATH} | dict(
        each.split("=", 1) for each in image.get("Env") or () if "=" in each
    )
    for key, value in (service.get("environment") or {}).items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = plain(str(value))
    return made


def plain(value: Any) -> Any:
    """What compose printed, with "$" for its "$$"."""
    if isinstance(value, str):
        return value.replace("$$", "$")
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return value


def _words(said: object) -> list[str]:
    if isinstance(said, str):
        return shlex.split(said)
    return [str(each) for each in said] if isinstance(said, list) else []
