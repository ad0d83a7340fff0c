"""Making a database cluster, or taking over one that is there."""

import os

from sockwake.config.settings import Settings
from sockwake.errors import SockwakeError
from sockwake.system import files

STAGED, MADE = (
    ".initialising",
    ".initialised",
)  # beside its place, before and after its server has proven itself


def exists(settings: Settings) -> bool:
    """Whether there is a cluster where the settings say."""
    return os.path.exists(f"{settings.cluster}/PG_VERSION")


def check_adoptable(pgdata: str, major: int) -> None:
    """Raise SockwakeError unless the cluster that is there is of this version and not in use."""
    found = files.read_plain(f"{pgdata}/PG_VERSION").strip()
    if found != str(major):
        raise SockwakeError(
            f"{pgdata} is a cluster of PostgreSQL {found}, not {major}",
            f"--version {found} adopts it; pg_upgrade makes it {major}",
        )
    if os.path.exists(f"{pgdata}/postmaster.pid"):
        raise SockwakeError(
            f"{pgdata} has a postmaster.pid: a server is running on it, or did not stop cleanly",
            "stop that server first",
        )
