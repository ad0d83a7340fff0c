"""What is to be known of a cluster before one of a newer version is made of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from sockwake.errors import SockwakeError
from sockwake.lifecycle.passing import Place
from sockwake.lifecycle.programs import Programs
from sockwake.postgres.names import CLOSED, DATABASES, require_none

_PROVIDERS = {"i": "icu", "b": "builtin", "c": "libc"}
_LOCALE = """
SELECT pg_encoding_to_char(encoding), datcollate, datctype, coalesce(j->>'datlocprovider', 'c'),
    coalesce(j->>'datlocale', j->>'daticulocale', '')
FROM pg_database d, to_jsonb(d) j WHERE datname = 'template0'
"""
_LIBRARIES = "shared_preload_libraries="
_PRELOADED = """
SELECT setting FROM pg_file_settings WHERE name = 'shared_preload_libraries' AND setting <> ''
ORDER BY seqno DESC LIMIT 1
"""
_TABLESPACES = "SELECT spcname FROM pg_tablespace WHERE oid > 16383 ORDER BY 1"
# but for those of extensions, which another version of these may have otherwise
RELATIONS = """
SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind IN ('r', 'p', 'm') AND nspname !~ '^pg_' AND nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = c.oid AND deptype = 'e')
"""
SLOTS = "SELECT slot_name FROM pg_replication_slots ORDER BY 1"
_PREPARED = "SELECT gid FROM pg_prepared_xacts ORDER BY 1"
_EXTENSIONS = "SELECT extname FROM pg_extension ORDER BY 1"


@dataclass(frozen=True)
class Facts:
    """What is to be known of the old cluster.

    user: of its superuser with the lowest number, by whom it was made. locale: options of initdb.
    preloaded: shared_preload_libraries. extensions: their names, by database. relations: how many
    tables and materialized views each database has, none where that is not known. slots: for
    replication.
    """

    user: str
    locale: list[str]
    preloaded: str
    extensions: dict[str, list[str]]
    relations: dict[str, int]
    slots: list[str] = field(default_factory=list)

    @property
    def preloading(self) -> list[str]:
        """The setting that has its libraries loaded; their names are words without blanks."""
        names = re.sub(r"[\s\"']", "", self.preloaded)
        return [f"shared_preload_libraries={names}"] if names else []


def ask(programs: Programs, cluster: Place, data: str, arguments: Sequence[str]) -> Facts:
    """Ask a throw-away server; raises SockwakeError.

    data: the directory that is locked meanwhile. arguments: settings of the everyday server's
    command line, which count before its files.
    """
    with programs.server(cluster, lock=data) as server:
        encoding, collate, ctype, provider, name = server.sql(_LOCALE).split("|")
        locale = [f"--encoding={encoding}", f"--lc-collate={collate}", f"--lc-ctype={ctype}"]
        if name:
            kind = _PROVIDERS[provider]
            locale += [f"--locale-provider={kind}", f"--{kind}-locale={name}"]
        if spaces := server.sql(_TABLESPACES).splitlines():
            raise SockwakeError(
                f"the cluster has the tablespace {', '.join(spaces)}, which an upgrade would leave",
                "ALTER DATABASE and ALTER TABLE ... SET TABLESPACE pg_default move what is in it",
            )
        if prepared := server.sql(_PREPARED).splitlines():
            raise SockwakeError(
                f"the cluster has the prepared transaction {', '.join(prepared)}, which an upgrade "
                "would leave",
                "COMMIT PREPARED or ROLLBACK PREPARED ends it, in its database",
            )
        require_none(server.sql(CLOSED).splitlines(), programs.passing.instance.name)
        databases = server.sql(DATABASES).splitlines()
        return Facts(
            user=server.sql("SELECT rolname FROM pg_roles WHERE oid = 10"),
            locale=locale,
            preloaded=_preloaded(arguments) or server.sql(_PRELOADED),
            extensions={each: server.sql(_EXTENSIONS, each).splitlines() for each in databases},
            relations={each: int(server.sql(RELATIONS, each)) for each in databases},
            slots=server.sql(SLOTS).splitlines(),
        )


def unasked(user: str, arguments: Sequence[str]) -> Facts:
    """What is known of one that cannot be started any more."""
    return Facts(user, [], _preloaded(arguments), {}, {})


def _preloaded(arguments: Sequence[str]) -> str:
    found = [each.partition("=")[2] for each in arguments if each.startswith(_LIBRARIES)]
    return found[-1] if found else ""
