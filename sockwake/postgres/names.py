"""Names of databases and roles, as SQL and as libpq take them; and which databases there are."""

from __future__ import annotations

# those that let anybody in
DATABASES = "SELECT datname FROM pg_database WHERE datallowconn ORDER BY 1"


def identifier(name: str) -> str:
    """A name in SQL, quoted."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def to_database(name: str) -> str:
    """The option of a client's program for a database, whatever its name.

    Not by its name alone: libpq takes one with "=" or "://" in it for a connection string.
    """
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    return f"--dbname=dbname='{escaped}'"
