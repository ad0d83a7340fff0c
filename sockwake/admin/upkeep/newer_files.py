"""The files of an instance for another major version of PostgreSQL. Pure: text to text."""

from __future__ import annotations

import re

from sockwake.admin.change import lines
from sockwake.admin.option_types import exec_line
from sockwake.admin.upkeep.upgraded import Version
from sockwake.config.settings import pgdata
from sockwake.errors import USAGE, SockwakeError
from sockwake.postgres import cluster, host_server

_TAG = re.compile(r"(?P<name>.*:)(?P<major>\d+)(?P<minor>(?:\.\d+)*)(?P<rest>(?:-[\w.-]+)?)")
_INHERITED = re.compile(r"^\s*image:\s*[\"']?\$(?:IMAGE\b|\{IMAGE[^}]*\})[\"']?\s*$", re.MULTILINE)


def image_name(image: str, old: int, new: int) -> str:
    """The name of the same image for another major version: "postgres:18-alpine" of 17.

    Raises SockwakeError (usage) when its tag does not begin with the version.
    """
    found = _TAG.fullmatch(image)
    if not found or int(found["major"]) != old:
        raise SockwakeError(
            f"the name '{image}' does not tell what the image of PostgreSQL {new} is called",
            "--image names it",
            USAGE,
        )
    return f"{found['name']}{new}{found['rest']}"


def environment(text: str, to: Version) -> str:
    """instance.env for a version."""
    changes = {"VERSION": to.version} | ({"IMAGE": to.image} if to.image else {})
    return lines.changed(text, changes)


def compose(text: str, path: str, old: int, new: int) -> str:
    """compose.yaml for another version, which may have its data mounted elsewhere.

    path: for the error. Raises SockwakeError when the image is not that of instance.env.
    """
    if not _INHERITED.search(text):
        raise SockwakeError(
            f"{path} names its image itself", "write image: ${IMAGE}, which is that of instance.env"
        )
    was, will = cluster.mount(old), cluster.mount(new)
    if was == will:
        return text
    place = re.compile(rf"(?<![\w./-]){re.escape(was)}/?(?![\w./-])")
    changed = "".join(
        line if line.lstrip().startswith("#") else place.sub(will, line)
        for line in text.splitlines(keepends=True)
    )
    if changed == text:
        raise SockwakeError(
            f"{path} does not mount the data at {was}", "is its cluster where the image has it?"
        )
    return changed


def service(text: str, path: str, data: str, old: int, new: int) -> str:
    """service.conf for another version of the host's server. path: for the error."""
    pairs = {
        f"{host_server.binaries(old)}/postgres": f"{host_server.binaries(new)}/postgres",
        f" -D {exec_line([pgdata(data, old)], {})} ": f" -D {exec_line([pgdata(data, new)], {})} ",
    }
    for was, will in pairs.items():
        if text.count(was) != 1:
            raise SockwakeError(
                f"{path} does not have '{was.strip()}' once, which is to become '{will.strip()}'",
                "change ExecStart= to what sockwake-new writes",
            )
        text = text.replace(was, will)
    return text
