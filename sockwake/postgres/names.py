"""Names of databases and roles, as SQL and as libpq take them; and which databases there are."""

from __future__ import annotations

from sockwake.config import scope
from sockwake.errors import SockwakeError, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# for psql, before what names things of a database: it would have them in the encoding of that.
# SQL_ASCII has no text that can be converted
IN_UTF8 = (
    "SELECT pg_catalog.set_config('client_encoding', 'UTF8', false) "
    "WHERE getdatabaseencoding() <> 'SQL_ASCII' \\g /dev/null\n"
)
# where PostgreSQL's own programs ask what there is: the first may have been dropped
BEGINNINGS = ("postgres", "template1")
# those that let anybody in
DATABASES = "SELECT datname FROM pg_database WHERE datallowconn ORDER BY 1"
# and nobody, of the user's
CLOSED = (
    "SELECT datname FROM pg_database WHERE NOT datallowconn AND datname <> 'template0' ORDER BY 1"
)


def require_none(closed: Sequence[str], instance: str) -> None:
    """Raise SockwakeError for databases that let nobody in: no dump would have them.

    Nor does pg_upgrade take a cluster that has some. instance: its name, for the hint.
    """
    if closed:
        sql = [f"ALTER DATABASE {identifier(each)} ALLOW_CONNECTIONS true" for each in closed]
        words = [shown(word) for each in sql for word in ("-c", each)]
        names = ", ".join(closed)
        raise SockwakeError(
            f"an upgrade or a dump leaves out database {names}, which allows no connections",
            scope.command("sockwake psql", instance, *words),
        )


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
