"""What is in an instance: all that another home has to have, asked of its server."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sockwake.admin.leave.server import Server
from sockwake.config.settings import Settings

_OF_THE_SERVER = """
select jsonb_build_object(
  'version', split_part(current_setting('server_version'), ' ', 1),
  'checksums', current_setting('data_checksums') = 'on',
  'wal_level', current_setting('wal_level'),
  'encodes_passwords', current_setting('password_encryption'),
  'settings', (select coalesce(jsonb_object_agg(name, current_setting(name)), '{}')
    from pg_settings where source in ('configuration file', 'command line', 'environment variable')
    and setting is distinct from boot_val and context <> 'internal'),
  'databases', (select jsonb_agg(to_jsonb(d) - 'datacl' - 'datminmxid' - 'datfrozenxid'
      || jsonb_build_object('bytes', pg_database_size(d.oid), 'owner', pg_get_userbyid(d.datdba),
        'encoding', pg_encoding_to_char(d.encoding), 'actual', {actual}) order by datname)
    from pg_database d where datallowconn and not datistemplate),
  'closed', (select coalesce(jsonb_agg(datname order by datname), '[]')
    from pg_database where not datallowconn and datname <> 'template0'),
  'roles', (select jsonb_agg(jsonb_build_object('name', rolname, 'superuser', rolsuper,
      'login', rolcanlogin, 'password', case when rolpassword is null then 'none'
        when rolpassword like 'md5%' then 'md5' else 'scram' end) order by rolname)
    from pg_authid where rolname !~ '^pg_'),
  'tablespaces', (select coalesce(jsonb_object_agg(spcname, pg_tablespace_location(oid)), '{}')
    from pg_tablespace where spcname not in ('pg_default', 'pg_global')),
  'slots', (select coalesce(jsonb_agg(slot_name order by slot_name), '[]')
    from pg_replication_slots where not temporary),
  'subscriptions', (select coalesce(jsonb_agg(subname order by subname), '[]')
    from pg_subscription),
  'prepared', (select count(*) from pg_prepared_xacts));
"""
_SINCE_COLLATION_VERSIONS = 15
_ACTUAL = "pg_database_collation_actual_version(d.oid)"
_OF_A_DATABASE = """
select jsonb_build_object(
  'extensions', (select coalesce(jsonb_object_agg(extname, extversion), '{}')
    from pg_extension where extname <> 'plpgsql'),
  'relations', (select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'),
  'unlogged', (select count(*) from pg_class where relpersistence = 'u' and relkind = 'r'),
  'large_objects', (select count(*) from pg_largeobject_metadata),
  'sequences', (select count(*) from pg_class where relkind = 'S'),
  'no_identity', (select coalesce(jsonb_agg(c.oid::regclass::text order by 1), '[]')
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and c.relpersistence = 'p' and n.nspname !~ '^pg_'
    and n.nspname <> 'information_schema' and c.relreplident in ('d', 'n')
    and not exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary)),
  'libraries', (select coalesce(jsonb_agg(distinct probin), '[]') from pg_proc p
    join pg_language l on l.oid = p.prolang where l.lanname = 'c' and probin is not null
    and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass
      and d.objid = p.oid and d.deptype in ('e', 'p')) and p.oid >= 16384),
  'foreign_servers', (select coalesce(jsonb_agg(srvname order by srvname), '[]')
    from pg_foreign_server),
  'publications', (select coalesce(jsonb_agg(pubname order by pubname), '[]')
    from pg_publication),
  'collations', (select coalesce(jsonb_agg(collname order by collname), '[]')
    from pg_collation where collversion <> pg_collation_actual_version(oid)));
"""


@dataclass(frozen=True)
class Database:
    """One database.

    provider: of its collation, "libc", "icu" or "builtin". version, actual: of that collation, as
    recorded and as the server has it now; "" for none. relations: how many tables and the like of
    the user's it has. no_identity: its tables without a primary
    key or another replica identity. libraries: of functions in C of no extension. outdated: its
    collations whose version is another one by now.
    """

    name: str
    owner: str
    encoding: str
    size: int
    provider: str = "libc"
    collate: str = "C"
    ctype: str = "C"
    locale: str = ""
    version: str = ""
    actual: str = ""
    extensions: Mapping[str, str] = field(default_factory=dict)
    relations: int = 0
    unlogged: int = 0
    large_objects: int = 0
    sequences: int = 0
    no_identity: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    foreign_servers: tuple[str, ...] = ()
    publications: tuple[str, ...] = ()
    outdated: tuple[str, ...] = ()

    @property
    def matters(self) -> bool:
        """Whether it is one that the user has made, or has put something into."""
        return self.name != "postgres" or bool(self.relations)

    @property
    def sorts_by_bytes(self) -> bool:
        """Whether its order of texts is the same on every machine."""
        if self.provider != "libc":
            return self.provider == "builtin"
        return self.collate.split(".")[0] in ("C", "POSIX")


@dataclass(frozen=True)
class Role:
    """One role. password: "none", "md5" or "scram"."""

    name: str
    superuser: bool
    login: bool
    password: str


@dataclass(frozen=True)
class Survey:
    """What is in an instance.

    version: "17.6". settings: those that differ from the default, of its configuration.
    databases: those that take connections, no templates. closed: those that take none, but for
    template0.
    tablespaces: name to place. memory: the most bytes that it is known to have had, with its page
    cache; 0 when not known.
    """

    version: str
    checksums: bool
    wal_level: str
    settings: Mapping[str, str]
    databases: tuple[Database, ...]
    roles: tuple[Role, ...]
    tablespaces: Mapping[str, str]
    slots: tuple[str, ...] = ()
    subscriptions: tuple[str, ...] = ()
    prepared: int = 0
    closed: tuple[str, ...] = ()
    memory: int = 0

    @property
    def size(self) -> int:
        """Bytes of all databases."""
        return sum(each.size for each in self.databases)


def of(server: Server, settings: Settings, memory: int = 0) -> Survey:
    """Ask the server; raises ProgramError."""
    has_versions = settings.major >= _SINCE_COLLATION_VERSIONS
    query = _OF_THE_SERVER.replace("{actual}", _ACTUAL if has_versions else "null")
    said = server.ask(query, settings.db_name)
    databases = [
        _database(each, server.ask(_OF_A_DATABASE, str(each["datname"])))
        for each in said["databases"]
    ]
    return Survey(
        version=said["version"],
        checksums=said["checksums"],
        wal_level=said["wal_level"],
        settings=said["settings"],
        databases=tuple(databases),
        roles=tuple(Role(**each) for each in said["roles"]),
        tablespaces=said["tablespaces"],
        slots=tuple(said["slots"]),
        subscriptions=tuple(said["subscriptions"]),
        prepared=said["prepared"],
        closed=tuple(said["closed"]),
        memory=memory,
    )


def _database(row: Mapping[str, Any], said: Mapping[str, Any]) -> Database:
    """A row of pg_database, whose columns depend on the version, and what the database said."""
    provider = {"b": "builtin", "i": "icu"}.get(row.get("datlocprovider") or "c", "libc")
    return Database(
        name=row["datname"],
        owner=row["owner"],
        encoding=row["encoding"],
        size=row["bytes"],
        provider=provider,
        collate=row["datcollate"],
        ctype=row["datctype"],
        locale=row.get("datlocale") or row.get("daticulocale") or "",
        version=row.get("datcollversion") or "",
        actual=row["actual"] or "",
        extensions=said["extensions"],
        relations=said["relations"],
        unlogged=said["unlogged"],
        large_objects=said["large_objects"],
        sequences=said["sequences"],
        no_identity=tuple(said["no_identity"]),
        libraries=tuple(said["libraries"]),
        foreign_servers=tuple(said["foreign_servers"]),
        publications=tuple(said["publications"]),
        outdated=tuple(said["collations"]),
    )
