"""A database cluster on disk: whether there is one, and whether an instance can adopt it."""

import os

from sockwake.config import scope
from sockwake.config.settings import Settings
from sockwake.errors import SockwakeError
from sockwake.system import files, process

# user and group of the server in the official image, and in many that are made of it
OFFICIAL_OWNER = 999
# directories beside its place, before and after its server has answered
STAGED, MADE = ".initialising", ".initialised"


def mount(major: int) -> str:
    """Where the official image has its volume."""
    return f"/var/lib/postgresql{'' if major >= 18 else '/data'}"


def exists(settings: Settings) -> bool:
    """Whether the directory of the settings has a cluster; raises OSError when it may not look."""
    return files.exists(f"{settings.cluster}/PG_VERSION")


def require_there(settings: Settings) -> None:
    """Raise SockwakeError unless it has: of one that was made, and is gone, the disk is missing."""
    if not exists(settings):
        raise SockwakeError(
            f"there is no database cluster in {settings.cluster}", "is its disk mounted?"
        )


def require_version(pgdata: str, major: int, instance: str = "") -> None:
    """Raise SockwakeError unless a cluster has this major version.

    instance: the one that has it, for the way out; else it is one to be adopted.
    """
    found = files.read_plain(f"{pgdata}/PG_VERSION").strip()
    if found == str(major):
        return
    number = found.partition(".")[0]  # 9.6
    is_newer = number.isdecimal() and int(number) > major
    if instance and is_newer:
        hint = f"leave VERSION as it is, {found}"
    elif instance:
        hint = scope.command("sockwake upgrade", instance, "--version", str(major))
    else:
        hint = f"--version {found} adopts it"
        hint += "" if is_newer else f"; pg_upgrade makes it {major}"
    raise SockwakeError(f"{pgdata} is a cluster of PostgreSQL {found}, not {major}", hint)


def hand_over(data: str, found: str, owner: str) -> None:
    """Have a cluster belong to a user, as USER:GROUP, with the directories above it in its data.

    PostgreSQL does not run as root, and serves no files of another's. data: a real path. found: the
    cluster's, the same or below.
    """
    process.run(["chown", "--recursive", "--no-dereference", owner, found], timeout=None)
    os.chmod(found, 0o700)
    at = os.path.dirname(found)
    while at.startswith(data):  # it has to get there
        process.run(["chown", owner, at])
        at = os.path.dirname(at)


def check_adoptable(pgdata: str, major: int) -> None:
    """Raise SockwakeError unless a cluster has this major version and no running server."""
    require_version(pgdata, major)
    if os.path.exists(f"{pgdata}/postmaster.pid"):
        raise SockwakeError(
            f"{pgdata} has a postmaster.pid: a server is running on it, or did not stop cleanly",
            "stop that server first",
        )
