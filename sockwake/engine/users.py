"""Which user a container runs as, and whether an engine lets it use root's directories."""

import io
import json
import tarfile
from typing import Any

from sockwake.engine.api import Engine, EngineError, quoted
from sockwake.errors import SockwakeError

_ROOT = ("", "0", "root")
_MAPS_USERS = "name=userns"
_PASSWD = "/etc/passwd"


def require_unmapped(engine: Engine, service: dict[str, Any]) -> None:
    """Raise SockwakeError when the engine's users are not the host's: userns-remap of Docker.

    service: its definition, which may ask for the host's users.
    """
    try:
        options = json.loads(engine.call("GET", "/info")).get("SecurityOptions") or []
    except (ValueError, AttributeError, RecursionError):
        raise EngineError("the container engine does not tell what it is") from None
    if _MAPS_USERS in options and service.get("userns_mode") != "host":
        raise SockwakeError(
            "the engine maps users (userns-remap in daemon.json), "
            "so that its containers can use no directory of this machine",
            "make it with --no-provision, and say userns_mode: host in its compose.yaml",
        )


def uid_of(engine: Engine, container: str) -> int:
    """The user of a container's process 1, 0 for root; raises SockwakeError for an unknown name.

    A name counts in the container's own /etc/passwd.
    """
    try:
        config = json.loads(engine.call("GET", f"/containers/{container}/json"))["Config"]
        user = str(config.get("User") or "").partition(":")[0]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise EngineError("the container engine does not tell its container's user") from None
    if user in _ROOT:
        return 0
    if user.isdecimal():
        return int(user)
    for line in _passwd(engine, container).splitlines():
        name, *fields = line.split(":")
        if name == user and len(fields) > 1 and fields[1].isdecimal():
            return int(fields[1])
    raise SockwakeError(f"its image has no user '{user}'", "user: in compose.yaml can be a number")


def _passwd(engine: Engine, container: str) -> str:
    archive = engine.call("GET", f"/containers/{container}/archive?path={quoted(_PASSWD)}")
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            member = files.next()
            content = files.extractfile(member) if member and member.isreg() else None
            return content.read().decode(errors="replace") if content else ""
    except (tarfile.TarError, OSError):
        return ""
