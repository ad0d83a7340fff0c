"""What pg_controldata(1) prints of a cluster, read: its state, and how far it has come.

It reads the file global/pg_control, with the server asleep or awake, and wakes nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sockwake.errors import SockwakeError

PROGRAM = "pg_controldata"
STOPPED = ("shut down", "shut down in recovery")  # states of a cluster that was shut down cleanly
_CATALOG, _STATE = "Catalog version number", "Database cluster state"
_SYSTEM, _CHECKPOINT = "Database system identifier", "Latest checkpoint location"
_REDO, _TIMELINE = "Latest checkpoint's REDO location", "Latest checkpoint's TimeLineID"
_NEXT, _OLDEST = "Latest checkpoint's NextXID", "Latest checkpoint's oldestXID"
_NEXT_MULTI = "Latest checkpoint's NextMultiXactId"
_OLDEST_MULTI = "Latest checkpoint's oldestMultiXid"
_CHECKSUMS, _SEGMENT = "Data page checksum version", "Bytes per WAL segment"
_FORMAT = "pg_control version number"
_XIDS = 1 << 32
_WARNING = re.compile(r"(?im)^(?:\S+: )?warning: (.*)$")


@dataclass(frozen=True)
class ControlData:
    """The state of a cluster.

    format: of pg_control itself, 100 times the major version that brought it (1300 has 13 to 17).
    catalog: the catalog version. system: the system identifier.
    state: as in "shut down" or "in production". checkpoint, redo: positions in the WAL, in bytes.
    timeline: the number of its timeline.
    next_xid, oldest_xid, next_multi, oldest_multi: 32 bits each; the epoch is left out.
    checksums: whether its pages have checksums. segment: bytes of a WAL segment.
    """

    format: int
    catalog: int
    system: int
    state: str
    checkpoint: int
    redo: int
    timeline: int
    next_xid: int
    oldest_xid: int
    next_multi: int
    oldest_multi: int
    checksums: bool
    segment: int

    @property
    def is_stopped(self) -> bool:
        """Whether its server was shut down cleanly."""
        return self.state in STOPPED

    @property
    def freeze_age(self) -> int:
        """How many transactions old the oldest unfrozen one may be (age(datfrozenxid))."""
        return (self.next_xid - self.oldest_xid) % _XIDS

    @property
    def multi_age(self) -> int:
        """As freeze_age, of multixacts (mxid_age(datminmxid))."""
        return (self.next_multi - self.oldest_multi) % _XIDS


def parse(text: str) -> ControlData:
    """What pg_controldata wrote in the C locale; raises SockwakeError when that is something else.

    text: its stdout, and its stderr: a warning, as of a damaged pg_control, is such an error, as
    the numbers are guesses then.
    """
    if warning := _WARNING.search(text):
        raise SockwakeError(f"pg_control cannot be relied on: {warning[1].lower()}")
    found = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            found[key.strip()] = value.strip()
    try:
        return ControlData(
            format=int(found[_FORMAT]),
            catalog=int(found[_CATALOG]),
            system=int(found[_SYSTEM]),
            state=found[_STATE],
            checkpoint=position(found[_CHECKPOINT]),
            redo=position(found[_REDO]),
            timeline=int(found[_TIMELINE]),
            next_xid=int(found[_NEXT].rpartition(":")[2]),
            oldest_xid=int(found[_OLDEST]),
            next_multi=int(found[_NEXT_MULTI]),
            oldest_multi=int(found[_OLDEST_MULTI]),
            checksums=found[_CHECKSUMS] != "0",
            segment=int(found[_SEGMENT]),
        )
    except (KeyError, ValueError) as error:
        raise SockwakeError(f"what {PROGRAM} said makes no sense: {error}") from None


def position(lsn: str) -> int:
    """The bytes that a position in the WAL, as in "1/6B374D8", is from its beginning."""
    high, _, low = lsn.partition("/")
    return (int(high, 16) << 32) + int(low, 16)
