"""Debian's own PostgreSQL servers on this host: package postgresql-N."""

import os
import pwd

from sockwake.errors import SockwakeError

USER = "postgres"


def binaries(major: int) -> str:
    """The directory of the programs of one major version."""
    return f"/usr/lib/postgresql/{major}/bin"


def require_installed(major: int) -> None:
    """Raise SockwakeError unless server and user of this major version are on this host."""
    program = f"{binaries(major)}/postgres"
    if not os.access(program, os.X_OK):
        raise SockwakeError(
            f"PostgreSQL {major} is not installed on this host: there is no {program}",
            f"apt install postgresql-{major}, or leave out --runtime host",
        )
    try:
        pwd.getpwnam(USER)
    except KeyError:
        raise SockwakeError(
            f"there is no user '{USER}'", f"apt install --reinstall postgresql-{major}"
        ) from None


def owner(cluster: str) -> str:
    """The user whose a cluster is, by name or by number; raises SockwakeError for root."""
    number = os.lstat(f"{cluster}/PG_VERSION").st_uid
    if not number:
        raise SockwakeError(
            f"{cluster} is root's, and PostgreSQL does not run as root",
            f"chown -R {USER}: {cluster}",
        )
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
