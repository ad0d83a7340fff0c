"""What a database needs of vacuum, analyze and reindex by now: queries that give the statements.

Each gives one JSON array of SQL statements, each to be run by itself. The limits are those of the
server's own autovacuum, which gets no time in a database that sleeps soon.
"""

from __future__ import annotations

# one process at a time, at the pace of autovacuum, and no client waits long for a lock of it
SETTINGS = (
    "SET vacuum_cost_delay = '2ms'",
    "SET max_parallel_maintenance_workers = 0",
    "SET lock_timeout = '60s'",
    "SET statement_timeout = 0",
    "SET idle_session_timeout = 0",
    "SET transaction_timeout = 0",
)
# the PostgreSQL that brought a setting
_SINCE = {"idle_session_timeout": 14, "transaction_timeout": 17}
_SINCE_DATABASES = 15  # the one that notes with which collation a database was made

DATABASES = "SELECT coalesce(json_agg(datname ORDER BY datname), '[]') FROM pg_database"
DATABASES += " WHERE datallowconn"
# how far the WAL has come, and the ages of what lets nobody in
POSITION = "SELECT pg_current_wal_insert_lsn() - '0/0'"
UNREACHABLE = """
SELECT coalesce(max(greatest(age(datfrozenxid), mxid_age(datminmxid) / 2)), 0)
FROM pg_database WHERE NOT datallowconn
"""


def settings(major: int) -> list[str]:
    """The statements before those that do the work."""
    return [each for each in SETTINGS if major >= _SINCE.get(each.split()[1], 0)]


def vacuum(freeze_age: int, multi_age: int) -> str:
    """The query for tables that autovacuum would have to do, or that are older than an age.

    freeze_age, multi_age: in transactions and multixacts.
    """
    return f"""
WITH facts AS (
    SELECT c.oid, c.relkind, greatest(c.reltuples, 0) AS rows, s.n_dead_tup AS dead,
        s.n_mod_since_analyze AS changed,
        coalesce((to_jsonb(s) ->> 'n_ins_since_vacuum')::bigint, 0) AS inserted,
        coalesce(s.last_analyze, s.last_autoanalyze) IS NULL AND pg_relation_size(c.oid) > 0
            AND s.schemaname NOT IN ('pg_catalog', 'information_schema') AS is_new,
        age(c.relfrozenxid) >= {freeze_age} OR mxid_age(c.relminmxid) >= {multi_age} AS is_old
    FROM pg_class c JOIN pg_stat_all_tables s ON s.relid = c.oid
    WHERE c.relkind IN ('r', 'm', 't') AND c.relpersistence <> 't'
        AND NOT coalesce(c.reloptions @> '{{autovacuum_enabled=false}}', false)
), told AS (
    SELECT oid, is_old,
        is_old OR dead > {_limit("vacuum")} OR inserted > {_limit("vacuum_insert")} AS is_dirty,
        relkind <> 't' AND (is_new OR changed > {_limit("analyze")}) AS is_other
    FROM facts
)
SELECT coalesce(json_agg(CASE WHEN is_dirty THEN format('VACUUM (%s) %s', concat_ws(', ',
    CASE WHEN is_old THEN 'FREEZE' END, CASE WHEN is_other THEN 'ANALYZE' END, 'SKIP_LOCKED'),
    oid::regclass) ELSE format('ANALYZE %s', oid::regclass) END ORDER BY is_old DESC, oid), '[]')
FROM told WHERE is_dirty OR is_other
"""


def _limit(name: str) -> str:
    """From how many rows on autovacuum does something."""
    threshold = f"coalesce(current_setting('autovacuum_{name}_threshold', true), '1000')::float"
    scale = f"coalesce(current_setting('autovacuum_{name}_scale_factor', true), '0.2')::float"
    return f"{threshold} + {scale} * rows"


def _changed(major: int) -> str:
    """The collations of which the C library has another version than that they were used with."""
    own = "SELECT 100::oid WHERE false"
    if major >= _SINCE_DATABASES:
        own = f"SELECT 100::oid FROM pg_database WHERE {_DATABASE}"
    return f"""
WITH changed AS (
    SELECT oid, collnamespace, collname FROM pg_collation
    WHERE collversion IS NOT NULL AND collversion <> pg_collation_actual_version(oid)
), all_changed AS (SELECT oid FROM changed UNION ALL {own})
"""


_DATABASE = """datname = current_database() AND datcollversion IS NOT NULL
    AND datcollversion <> pg_database_collation_actual_version(oid)"""


def reindex(major: int) -> str:
    """The query for indexes that have texts sorted by a collation that has changed.

    Of the database's own collation also those with expressions or conditions, which may use it.
    """
    return f"""
{_changed(major)}
SELECT coalesce(json_agg(format('REINDEX INDEX %s %s',
    CASE WHEN NOT i.indisexclusion THEN 'CONCURRENTLY' END, i.indexrelid::regclass)
    ORDER BY i.indexrelid), '[]')
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE c.relkind = 'i' AND i.indisvalid AND c.relpersistence <> 't' AND (
    EXISTS (SELECT FROM unnest(i.indcollation::oid[]) AS used JOIN all_changed ON oid = used)
    OR EXISTS (SELECT FROM pg_attribute a JOIN pg_range r ON r.rngtypid = a.atttypid
        JOIN all_changed ON all_changed.oid = r.rngcollation WHERE a.attrelid = i.indexrelid)
    OR coalesce(i.indexprs, i.indpred) IS NOT NULL AND EXISTS (SELECT FROM all_changed))
"""


def refresh(major: int) -> str:
    """The query for what notes, behind the reindexing, that the new versions are in use."""
    databases = "SELECT NULL WHERE false"
    if major >= _SINCE_DATABASES:
        alter = "format('ALTER DATABASE %I REFRESH COLLATION VERSION', datname)"
        databases = f"SELECT {alter} FROM pg_database WHERE {_DATABASE}"
    return f"""
{_changed(major)}
SELECT coalesce(json_agg(statement), '[]') FROM (
    SELECT format('ALTER COLLATION %I.%I REFRESH VERSION', n.nspname, collname) AS statement
    FROM changed JOIN pg_namespace n ON n.oid = collnamespace
    UNION ALL {databases}) AS every
"""


# what a REINDEX CONCURRENTLY leaves that was interrupted: it is in nobody's way but costs writes
LEFT = """
SELECT coalesce(json_agg(indexrelid::regclass::text), '[]') FROM pg_index
JOIN pg_class c ON c.oid = indexrelid
WHERE NOT indisvalid AND c.relkind = 'i' AND c.relname ~ '_cc(new|old)[0-9]*$'
"""
