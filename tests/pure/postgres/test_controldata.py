"""What pg_controldata prints is read as it is, and not believed when it warns."""

import pytest

from sockwake.errors import SockwakeError
from sockwake.postgres import controldata

SAID = """\
pg_control version number:            1300
Catalog version number:               202406281
Database system identifier:           7577826487223246870
Database cluster state:               shut down
pg_control last modified:             Sat Nov 29 01:00:00 2026
Latest checkpoint location:           1/6B374D8
Latest checkpoint's REDO location:    1/6B374A0
Latest checkpoint's REDO WAL file:    000000010000000100000006
Latest checkpoint's TimeLineID:       3
Latest checkpoint's NextXID:          1:753
Latest checkpoint's NextOID:          24576
Latest checkpoint's NextMultiXactId:  7
Latest checkpoint's oldestXID:        730
Latest checkpoint's oldestMultiXid:   1
Bytes per WAL segment:                16777216
Data page checksum version:           1
"""


def test_it_is_read_whole() -> None:
    found = controldata.parse(SAID)
    assert (found.format, found.catalog, found.system) == (1300, 202406281, 7577826487223246870)
    assert (found.is_stopped, found.checksums, found.segment) == (True, True, 16 << 20)
    assert (found.checkpoint, found.redo) == ((1 << 32) + 0x6B374D8, (1 << 32) + 0x6B374A0)
    assert (found.timeline, found.freeze_age, found.multi_age) == (3, 23, 6)


def test_numbers_of_transactions_start_again() -> None:
    text = SAID.replace("oldestXID:        730", f"oldestXID:        {(1 << 32) - 10}")
    assert controldata.parse(text).freeze_age == 763


@pytest.mark.parametrize(
    ("state", "is_stopped"),
    [("in production", False), ("shut down in recovery", True), ("in crash recovery", False)],
)
def test_only_a_clean_stop_is_one(state: str, *, is_stopped: bool) -> None:
    text = SAID.replace("state:               shut down\n", f"state:               {state}\n")
    assert controldata.parse(text).is_stopped == is_stopped


@pytest.mark.parametrize(
    "warning",
    [
        "WARNING: Calculated CRC checksum does not match value stored in control file.\n",
        "pg_controldata: warning: calculated CRC checksum does not match\n",
    ],
)
def test_a_damaged_file_is_not_believed(warning: str) -> None:
    with pytest.raises(SockwakeError, match="cannot be relied on: calculated crc"):
        controldata.parse(warning + SAID)


@pytest.mark.parametrize("text", ["", SAID.replace("1/6B374D8", "?"), "no such file\n"])
def test_anything_else_is_an_error(text: str) -> None:
    with pytest.raises(SockwakeError, match="makes no sense"):
        controldata.parse(text)
