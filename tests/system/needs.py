"""What tests need of the machine that they run on."""

from __future__ import annotations

import os
from pathlib import Path

from database import IMAGE
from program import run
from webshop import NGINX

PROGRAMS = {
    "redis": "/usr/bin/redis-server",
    "gatewayd": "/usr/lib/systemd/systemd-journal-gatewayd",
}


def what_is_missing() -> dict[str, str]:
    """Fixtures that cannot be had on this machine, and why."""
    if os.geteuid() or not Path("/run/systemd/system").is_dir():
        return {"machine": "needs root and a running systemd"}
    if run("sh", "-c", "command -v sockwake-new").status:
        return {"machine": "the package is not installed"}
    missing = {
        fixture: f"image {name} is not on this machine"
        for fixture, name in (("image", IMAGE), ("nginx", NGINX))
        if run("docker", "image", "inspect", name).status
    }
    if not os.environ.get("SOCKWAKE_CLOCK"):
        missing["clock"] = "the clock of this machine may not be set (SOCKWAKE_CLOCK=1)"
    return missing | {
        fixture: f"{program} is not on this machine"
        for fixture, program in PROGRAMS.items()
        if not os.path.exists(program)
    }
