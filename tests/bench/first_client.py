"""The first client of a machine: runs in it while it boots, and notes when it has a row."""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from postgres_client import Connection

PORT = 25432
ROW = Path("/run/first-row")  # seconds of CLOCK_MONOTONIC


def main(password: str) -> None:
    """Connect once, and wait for as long as the first wake takes."""
    connection = Connection(("127.0.0.1", PORT), password)
    connection.query("select 1")
    ROW.write_text(f"{time.monotonic():.6f}\n")
    connection.close()


if __name__ == "__main__":
    main(sys.argv[1])
