"""The preset file of a tree: which sockets an image builder's `systemctl preset-all` keeps enabled.

One line for all instances: systemd takes the first that is about a template (systemd.preset(5)).
"""

from __future__ import annotations

import os

from sockwake.config.instance import Instance
from sockwake.system import files

_FILE = "/etc/systemd/system-preset/50-sockwake.preset"
_UNIT = "pg-proxy@.socket"
_HEAD = (
    "# Instances whose ports an image has open, for systemctl preset-all. Written by sockwake.\n"
)


def path(root: str = "") -> str:
    """The file, in the tree root."""
    return f"{root}{_FILE}"


def names(root: str = "") -> list[str]:
    """The instances that it enables, in the order of their names."""
    found: set[str] = set()
    for line in files.text_of(path(root)).splitlines():
        words = line.split()
        if words[:2] == ["enable", _UNIT]:
            found |= set(words[2:])
    return sorted(found)


def add(instance: Instance) -> None:
    """Have the socket of an instance enabled."""
    _write(instance.root, {*names(instance.root), instance.name})


def remove(instance: Instance) -> None:
    """Say nothing of an instance any more; the file goes with the last."""
    listed = names(instance.root)
    if instance.name in listed:
        _write(instance.root, set(listed) - {instance.name})


def restore(root: str, before: str) -> None:
    """Give the file the text that it had, "" for no file."""
    if files.text_of(path(root)) != before:
        _replace(root, before)


def text(listed: set[str]) -> str:
    """The text of the file for these instances, "" for no file."""
    return f"{_HEAD}enable {_UNIT} {' '.join(sorted(listed))}\n" if listed else ""


def _write(root: str, listed: set[str]) -> None:
    _replace(root, text(listed))


def _replace(root: str, new: str) -> None:
    if not new:
        files.remove(path(root))
        return
    os.makedirs(os.path.dirname(path(root)), 0o755, exist_ok=True)
    files.replace(path(root), 0o644, new)
