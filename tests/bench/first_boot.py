"""Machines that boot for the first time from an image: how long their first client waits."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import guests

sys.path.insert(0, str(guests.CHECKOUT / "tests/images"))

import bakery

SOCKET = "pg-proxy@shop.socket"
PASSWORD = "of-the-fleet"
LONGEST_S = 60.0
CLIENT = f"""\
[Unit]
DefaultDependencies=no
After={SOCKET}
[Service]
ExecStart=/usr/bin/python3 -B /bench/first_client.py {PASSWORD}
"""
FILES = {
    "etc/systemd/system/first-client.service": CLIENT,
    f"etc/systemd/system/{SOCKET}.d/client.conf": "[Unit]\nWants=first-client.service\n",
    "etc/credstore/sockwake.shop.password": PASSWORD,
}


def measure(deb: Path, count: int) -> dict[str, Any]:
    """Milliseconds from systemd having opened the port to the first row, of so many machines."""
    try:
        image = bakery.image("mmdebstrap", deb)
    except bakery.BakingError as error:
        raise guests.GuestError(str(error)) from None
    before = time.monotonic()
    samples = [_one(image, f"first-{number}") for number in range(count)]
    return {"samples": samples, "took_s": time.monotonic() - before}


def _one(image: Path, name: str) -> float:
    with tempfile.TemporaryDirectory() as place:
        binds = ["--bind-ro", f"{guests.CHECKOUT}/tests/bench:/bench"]
        for path, text in FILES.items():
            file = Path(place, path.replace("/", "-"))
            file.write_text(text)
            binds += ["--bind-ro", f"{file}:/{path}"]
        try:
            boot = [guests.MACHINE, "boot", name, "--tree", str(image), "--with-parent"]
            guests.run([*boot, *binds])
            return _waited(name) * 1000
        finally:
            subprocess.run([guests.MACHINE, "stop", name], check=False)


def _waited(name: str) -> float:
    """Seconds that the first client of a machine has waited; raises GuestError."""
    deadline = time.monotonic() + LONGEST_S
    while not (
        row := guests.inside(name, "sh", "-c", "cat /run/first-row 2>/dev/null || :")
    ).strip():
        if time.monotonic() > deadline:
            raise guests.GuestError(f"the first client of {name} has no row after {LONGEST_S:g} s")
        time.sleep(0.2)
    shown = "--property=ActiveEnterTimestampMonotonic", "--value", SOCKET
    opened = guests.inside(name, "systemctl", "show", *shown)
    return float(row) - int(opened) / 1e6
