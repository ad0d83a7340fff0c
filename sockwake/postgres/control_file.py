"""The first words of global/pg_control, which have been the same since PostgreSQL 11.

All else that pg_control tells is read by pg_controldata, which has to be run.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

_HEAD = struct.Struct("=QIIi4xqQ")  # up to checkPoint of ControlFileData, in this machine's order
_SHUT_DOWN = (1, 2)  # DB_SHUTDOWNED, DB_SHUTDOWNED_IN_RECOVERY


@dataclass(frozen=True)
class ControlFile:
    """What a cluster is, and how far it has come.

    system: its identifier. checkpoint: the position of the last one in the WAL, as in "0/3000028".
    is_shut_down: whether its server has ended as it should.
    """

    system: int
    checkpoint: str
    is_shut_down: bool


def read(cluster: str) -> ControlFile | None:
    """What the file says; None when it cannot be read."""
    try:
        fd = os.open(f"{cluster}/global/pg_control", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            head = os.read(fd, _HEAD.size)
        finally:
            os.close(fd)
        system, _, _, state, _, checkpoint = _HEAD.unpack(head)
    except (OSError, struct.error):
        return None
    where = f"{checkpoint >> 32:X}/{checkpoint & 0xFFFFFFFF:X}"
    return ControlFile(system, where, state in _SHUT_DOWN)
