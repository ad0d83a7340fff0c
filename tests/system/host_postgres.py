"""The PostgreSQL that this machine's Debian has."""

from __future__ import annotations

from pathlib import Path

_HERE = Path("/usr/lib/postgresql")
VERSION = str(max((int(path.parts[-3]) for path in _HERE.glob("[1-9]*/bin/postgres")), default=17))
BINARIES = _HERE / VERSION / "bin"
SERVER = BINARIES / "postgres"


def version_for(runtime: str) -> str:
    """That of the host where the host's is asked for, and of an image that every machine has."""
    return VERSION if runtime == "host" else "18"
