"""A journal that a real machine has written: journal.jsonl, of some minutes with three databases.

`journalctl --output=json` with the fields and the matches of sockwake/admin/measure; without
__CURSOR, __SEQNUM and __MONOTONIC_TIMESTAMP, which are not read.
"""

import json
from pathlib import Path

from sockwake.admin.measure import events
from sockwake.admin.measure.events import Event
from sockwake.admin.measure.log import Boot

LINES = (Path(__file__).parent / "journal.jsonl").read_text().splitlines()
BOOT = str(json.loads(LINES[0])["_BOOT_ID"])
ENTRIES = [json.loads(line) for line in LINES]
BEGAN = float(ENTRIES[0]["__REALTIME_TIMESTAMP"]) / 1e6
ENDED = float(ENTRIES[-1]["__REALTIME_TIMESTAMP"]) / 1e6
BOOTS = [Boot(BOOT, BEGAN - 1000, ENDED + 100)]


def found(name: str = "") -> list[Event]:
    """The events of all instances, or of one."""
    every = [*events.parse(LINES)]
    return [event for event in every if name in ("", event.name)]


def old(unit: str, message: str, at: float = BEGAN) -> str:
    """A line of a version that wrote no fields."""
    return json.dumps(
        {
            "MESSAGE": message,
            "_SYSTEMD_UNIT": unit,
            "_UID": "0",
            "_BOOT_ID": BOOT,
            "__REALTIME_TIMESTAMP": f"{at * 1e6:.0f}",
        }
    )
