"""What is settled before a wake that may be the first: whether there are data to be made.

The mark "uninitialised" in /etc/sockwake/NAME says so, and it goes when they are made. Without it
missing data are an error. Two things take from the mark that it speaks for itself:

- /etc is read-only, or begins anew with each boot. Then sockwake-etc.service keeps in
  /var/lib/sockwake that the mark has gone, as long as that itself is kept.
- /var begins anew with each boot. Data that were made in memory are gone with the boot that they
  were made in: "in-memory" remembers that they were, and the mark is written again.

A file system that systemd knows of, and that is not mounted, is never taken for an empty one.
"""

from __future__ import annotations

import os
import re

from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.errors import SockwakeError
from sockwake.postgres import cluster, password
from sockwake.system import files, journal, process, systemctl

UNIT = "sockwake-etc.service"
_IN_MEMORY = ("ramfs", "tmpfs")
# kernel-command-line(7)
_STATELESS = re.compile(r"\bsystemd\.volatile(?:=(?:overlay|state|yes|true|on|y|t|1))?(?:\s|$)")
_UPPER = re.compile(r"[ ,]upperdir=([^ ,]+)")
_NOTE = "its data were in memory, and are made anew\n"
_PATIENCE = 90  # seconds for systemd to mount /var, and the overlay


def is_possible(instance: Instance, settings: Settings) -> bool:
    """Whether there may be data to be made."""
    return os.path.exists(instance.uninitialised_file) or _are_missing(settings)


def settle(instance: Instance, settings: Settings) -> None:
    """Have the mark tell the truth, and say what is going to be made.

    Raises SockwakeError when nothing may be made: the disk is not mounted, or /etc is read-only and
    nothing keeps its changes.
    """
    is_new = os.path.exists(instance.uninitialised_file)
    was_emptied = not is_new and _was_emptied(instance, settings)
    if (is_new or was_emptied) and not os.access(instance.etc, os.W_OK):
        keep_changes(instance)
        is_new = os.path.exists(instance.uninitialised_file)
    if was_emptied and not is_new:
        files.replace(instance.uninitialised_file, 0o644, _NOTE)
    if (is_new or was_emptied) and _are_missing(settings):
        require_mounted(settings.data)
        made = f"its data are made, in {settings.data}"
        in_memory = is_in_memory(settings.data)
        journal.say(f"{made}, which is in memory: the next boot begins anew" if in_memory else made)


def keep_changes(instance: Instance) -> None:
    """Have systemd lay an overlay over /etc/sockwake, which is read-only; raises SockwakeError."""
    problem = f"{instance.etc} cannot be written to"
    if scope.is_user() or not systemctl.is_running():
        raise SockwakeError(problem)
    try:
        systemctl.run("start", UNIT, timeout=_PATIENCE)
    except process.ProgramError as error:
        raise SockwakeError(
            f"{problem}, and its changes cannot be kept in {scope.data()}",
            f"systemctl status {UNIT}",
            said=error.said,
        ) from None
    if not os.access(instance.etc, os.W_OK):
        raise SockwakeError(problem)


def require_mounted(path: str) -> None:
    """Raise SockwakeError when a file system for a directory is configured, and not mounted.

    It is in fstab(5), in a unit, or in a partition that systemd finds by its type. Of a user's own
    data nothing is asked: there the user's systemd knows no mounts of the machine.
    """
    if scope.is_user() or not systemctl.is_running():
        return
    os.path.exists(path)  # an automount point is mounted by that
    found = [part for each in {path, os.path.realpath(path)} for part in _folders(each)]
    escaped = process.run(["systemd-escape", "--path", "--suffix=mount", *found]).split()
    shown = systemctl.run("show", "--property=Id,FragmentPath,ActiveState", *escaped)
    for text in shown.split("\n\n"):
        unit = dict(line.partition("=")[::2] for line in text.splitlines())
        if unit.get("FragmentPath") and unit.get("ActiveState") != "active":
            raise SockwakeError(
                f"the disk of data directory {path} is not mounted", f"systemctl start {unit['Id']}"
            )


def is_in_memory(path: str) -> bool:
    """Whether a path, or what would be made there, is gone with the next boot."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    asked = ["findmnt", "--noheadings", "--first-only", "--output=FSTYPE,OPTIONS", "--target"]
    kind, _, options = process.run([*asked, path]).strip().partition(" ")
    if kind != "overlay" or not (upper := _UPPER.search(options)):
        return kind in _IN_MEMORY
    return is_in_memory(upper[1]) if os.path.exists(upper[1]) else _is_stateless()


def end_of_making(instance: Instance, settings: Settings) -> None:
    """Remove the mark of data that are there by now, and note what the next boot has to know."""
    if not os.path.exists(instance.uninitialised_file):
        return
    if settings.data and is_in_memory(settings.data):
        files.replace(instance.in_memory_file, 0o644, "its data are gone with the next boot\n")
    else:
        files.remove(instance.in_memory_file)
        if settings.has_cluster and is_in_memory(instance.etc):
            password.keep_copy(instance, settings.data)
    files.remove(instance.uninitialised_file)


def _are_missing(settings: Settings) -> bool:
    if settings.has_cluster:
        return not cluster.exists(settings)
    return bool(settings.data) and not os.path.isdir(settings.data)


def _was_emptied(instance: Instance, settings: Settings) -> bool:
    """Whether its data are missing because this boot has begun without what was in memory.

    What lacks only its proof, as a cluster without PG_VERSION, is of this boot, and broken.
    """
    if not _are_missing(settings) or not is_in_memory(settings.data):
        return False
    if settings.has_cluster and os.path.isdir(settings.cluster) and os.listdir(settings.cluster):
        return False
    return os.path.exists(instance.in_memory_file) or _is_stateless()


def _is_stateless() -> bool:
    return bool(_STATELESS.search(files.text_of("/proc/cmdline")))


def _folders(path: str) -> list[str]:
    """A directory and those above it, without the root."""
    parts = path.strip("/").split("/")
    return [f"/{'/'.join(parts[: count + 1])}" for count in range(len(parts))]
