"""What machines a system tree is for, by a program in it, and which images they can run."""

from __future__ import annotations

import os

from sockwake.errors import SockwakeError
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


def require(image: str, said: str, machine: str) -> None:
    """Raise SockwakeError when an image, which is for said, cannot run on such machines.

    machine: "" for any. said: "" when the image does not tell.
    """
    if machine and said and said != machine and said not in _ALSO_RUNS.get(machine, ()):
        raise SockwakeError(
            f"image {image} is for {said}, and the tree for {machine}",
            f"skopeo copy --override-arch {machine} gets the one that is wanted",
        )
