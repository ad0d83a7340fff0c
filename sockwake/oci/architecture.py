"""What machines a system tree is for, by a program in it, and which images they can run."""

from __future__ import annotations

import json
import os
import sys

from sockwake.errors import SockwakeError, shown
from sockwake.oci import rootfs

_PROGRAMS = ("/usr/lib/systemd/systemd", "/usr/bin/crun", "/usr/bin/env", "/bin/sh")
_ELF, _MACHINE = b"\x7fELF", 18  # elf(5): e_ident, and where e_machine is
_LITTLE = 1  # of the sixth byte: the least significant byte comes first
# elf(5), and the names of Go, which images have
_NAMES = {
    3: "386",
    21: "ppc64le",
    22: "s390x",
    40: "arm",
    62: "amd64",
    183: "arm64",
    243: "riscv64",
    258: "loong64",
}
_ALSO_RUNS = {"amd64": ("386",)}


def of_tree(root: str) -> str:
    """The architecture as images call it; "" where the tree has no program that tells it."""
    for program in _PROGRAMS:
        try:
            path = root + rootfs.resolved(root, program)
            if not os.path.isfile(path):  # a pipe would hold us up
                continue
            with open(path, "rb") as file:
                head = file.read(_MACHINE + 2)
        except (OSError, SockwakeError):
            continue
        if head.startswith(_ELF) and len(head) == _MACHINE + 2:
            one, other = head[_MACHINE:]
            machine = one + 256 * other if head[5] == _LITTLE else 256 * one + other
            return _NAMES.get(machine, "")
    return ""


def warn(image: str, config_file: str) -> None:
    """Say on stderr when an image is for other machines than this one, which may emulate them.

    config_file: its configuration.
    """
    try:
        with open(config_file, encoding="utf-8") as file:
            said = str(json.load(file).get("architecture") or "")
    except (OSError, ValueError, AttributeError, RecursionError):
        return  # store.py tells
    machine = of_tree("")
    if not _can_run(said, machine):
        text = f"image {image} is for {said}, and this machine for {machine}"
        print(f"sockwake: warning: {shown(text)}", file=sys.stderr)


def require(image: str, said: str, machine: str) -> None:
    """Raise SockwakeError when an image, which is for said, cannot run on such machines.

    machine: "" for any. said: "" when the image does not tell.
    """
    if not _can_run(said, machine):
        raise SockwakeError(
            f"image {image} is for {said}, and the tree for {machine}",
            f"skopeo copy --override-arch {machine} gets the one that is wanted",
        )


def _can_run(said: str, machine: str) -> bool:
    """Whether a machine runs what an image is for, as far as is known; "": of nothing."""
    return not (machine and said) or said == machine or said in _ALSO_RUNS.get(machine, ())
