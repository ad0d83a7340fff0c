"""What stands in the way of a move, what would not survive it, and what is to be done for it.

Pure: what the survey of an instance found decides what comes out.
"""

from collections.abc import Iterator, Mapping

from sockwake.admin.leave import crossing, extensions, targets
from sockwake.admin.leave.findings import FINE, LOST, STOPS, TO_DO, WEIGHTS, Plan, Point
from sockwake.admin.leave.survey import Database, Survey
from sockwake.admin.leave.targets import CNPG, MICROSERVICE, MONOLITH, PATRONI, SUBSCRIPTION
from sockwake.admin.words import listed, size
from sockwake.config import scope

_OLDEST_IN_CNPG = 14
_NOT_IMPORTED = ("postgres", "streaming_replica", "cnpg_pooler_pgbouncer")


def points(survey: Survey, plan: Plan) -> list[Point]:
    """All findings, those that weigh most first."""
    found = [
        *_versions(survey, plan),
        *_databases(survey, plan),
        *_extensions(survey, plan),
        *_places(survey, plan),
        *_roles(survey, plan),
        *_settings(survey, plan),
        *crossing.points(survey, plan),
    ]
    return sorted(found, key=lambda point: WEIGHTS.index(point.weight))


def stopping(found: list[Point]) -> list[Point]:
    """The findings that stand in the way."""
    return [point for point in found if point.weight == STOPS]


def _versions(survey: Survey, plan: Plan) -> Iterator[Point]:
    major = int(survey.version.split(".")[0])
    if plan.target.name == CNPG and major < _OLDEST_IN_CNPG:
        yield Point(
            "version",
            STOPS,
            f"CloudNativePG has no PostgreSQL {major}: first {scope.command('sockwake upgrade')}",
        )
    elif plan.target.by_files:
        yield Point("version", TO_DO, f"every node needs PostgreSQL {major}, no other major one")
    else:
        yield Point("version", FINE, f"PostgreSQL {survey.version}; the target's may be newer")
    if plan.target.name == PATRONI and not survey.checksums and not _has_hints(survey):
        yield Point(
            "checksums",
            TO_DO,
            "without them pg_rewind needs wal_log_hints: on, which patroni.yml sets",
        )
    elif not survey.checksums and not plan.target.by_files:
        yield Point("checksums", FINE, "off here; the target makes its own cluster")


def _has_hints(survey: Survey) -> bool:
    return survey.settings.get("wal_log_hints") == "on"


def _databases(survey: Survey, plan: Plan) -> Iterator[Point]:
    total = size(survey.size)
    count = len(survey.databases)
    yield Point("size", FINE, f"{total} in {count} database{'s' if count != 1 else ''}")
    if survey.memory:
        yield Point(
            "memory", FINE, f"it is known to have had {size(survey.memory)}, with its page cache"
        )
    if survey.closed:
        yield Point(
            "databases", LOST, f"{listed(survey.closed)}: no connection is allowed, so no dump is"
        )
    others = [each.name for each in survey.databases if each.matters and each.name != plan.database]
    if plan.method in (MICROSERVICE, SUBSCRIPTION) and others:
        yield Point(
            "databases", LOST, f"{listed(others)}: {plan.method} takes {plan.database} alone"
        )
    if plan.method == MONOLITH and "postgres" in others:
        yield Point("databases", LOST, "what is in the database postgres, which is not imported")
    if plan.database == "postgres" and plan.method in (MICROSERVICE, SUBSCRIPTION):
        yield Point("databases", LOST, "the name postgres, which is the operator's there")
    for each in survey.databases:
        yield from _database(each, plan)


def _database(each: Database, plan: Plan) -> Iterator[Point]:
    where = f"database {each.name}"
    if each.encoding == "SQL_ASCII":
        yield Point(
            "encoding", TO_DO, f"{where} has SQL_ASCII: its texts are in none that is known"
        )
    yield _collation(each, plan)
    if each.version and each.actual and each.version != each.actual:
        yield Point(
            "collation",
            TO_DO,
            f"{where} was made with version {each.version} of its collation, and the server has "
            f"{each.actual}: {_rebuilt(plan)}",
        )
    if each.outdated:
        yield Point(
            "collation", TO_DO, f"{where}: {listed(each.outdated)} of other versions by now"
        )
    if each.unlogged and plan.target.by_files:
        yield Point("tables", LOST, f"{where}: the rows of {each.unlogged} unlogged tables")
    if each.libraries:
        yield Point(
            "libraries", TO_DO, f"{where}: functions in C need {listed(each.libraries)} there"
        )
    if each.foreign_servers:
        yield Point(
            "foreign servers",
            TO_DO,
            f"{where}: {listed(each.foreign_servers)} has to be reached from there",
        )


def _rebuilt(plan: Plan) -> str:
    if plan.target.by_files:
        return "REINDEX and ALTER DATABASE … REFRESH COLLATION VERSION, before it goes"
    return "the dump is loaded anew, and its indexes with it"


def _collation(each: Database, plan: Plan) -> Point:
    what = f"{each.encoding}, {each.locale or each.collate} of {each.provider}"
    if each.version:
        what += f" {each.version}"
    if plan.same_image:
        return Point("encoding", FINE, f"database {each.name}: {what}, as in the same image")
    if each.sorts_by_bytes:
        return Point("encoding", FINE, f"database {each.name}: {what}, the same everywhere")
    if plan.target.by_files:
        return Point(
            "collation",
            TO_DO,
            f"database {each.name}: {what}; where the nodes have another version, REINDEX and "
            "ALTER DATABASE … REFRESH COLLATION VERSION after the move, before anything else",
        )
    return Point(
        "collation", TO_DO, f"database {each.name}: {what}, a locale that the target has to have"
    )


def _extensions(survey: Survey, plan: Plan) -> Iterator[Point]:
    for each in survey.databases:
        for name, version in sorted(each.extensions.items()):
            what = f"extension {name} {version} of database {each.name}"
            if plan.same_image:
                yield Point("extensions", FINE, f"{what} is in the same image")
            elif extensions.is_everywhere(name):
                yield Point("extensions", FINE, f"{what} comes with PostgreSQL")
            elif plan.target.name == CNPG and extensions.is_in_cnpg(name):
                yield Point("extensions", FINE, f"{what} is in CloudNativePG's standard image")
            else:
                major = survey.version.split(".")[0]
                yield Point(
                    "extensions", TO_DO, f"{what} {extensions.way_out(name, major, plan.target)}"
                )


def _places(survey: Survey, plan: Plan) -> Iterator[Point]:
    for name, place in survey.tablespaces.items():
        what = f"tablespace {name} in {place}"
        if plan.target.name == CNPG:
            yield Point("tablespaces", LOST, f"{what}: its tables go to the default one")
        elif plan.target.by_files:
            yield Point("tablespaces", TO_DO, f"{what}: every node needs that directory, empty")
        else:
            yield Point(
                "tablespaces", TO_DO, f"{what}: make that directory first, the server's own"
            )


def _roles(survey: Survey, plan: Plan) -> Iterator[Point]:
    if plan.method in (MICROSERVICE, SUBSCRIPTION):
        if named := [each.name for each in survey.roles if each.name not in _NOT_IMPORTED]:
            yield Point(
                "roles",
                LOST,
                f"{listed(named)}, with passwords and grants: {plan.method} takes none, and all "
                f"objects become the owner's",
            )
    elif plan.method == MONOLITH:
        superusers = [each.name for each in survey.roles if each.superuser]
        if left := [name for name in superusers if name not in _NOT_IMPORTED]:
            yield Point("roles", LOST, f"{listed(left)}: no role stays a superuser there")
        if refused := [each.name for each in survey.roles if each.name in _NOT_IMPORTED]:
            yield Point(
                "roles", LOST, f"{listed(refused)} and its password: the target has its own"
            )
    else:
        names = [each.name for each in survey.roles]
        yield Point("roles", FINE, f"{listed(names)}, with their passwords")
    if md5 := [each.name for each in survey.roles if each.password == "md5"]:
        yield Point(
            "passwords", TO_DO, f"{listed(md5)} has an MD5 password, which newer servers refuse"
        )


def _settings(survey: Survey, plan: Plan) -> Iterator[Point]:
    own: Mapping[str, str] = targets.settings_for(plan.target, dict(survey.settings))
    if own:
        said = listed([f"{name} = {value}" for name, value in own.items()])
        if plan.target.keeps_settings:
            yield Point("settings", FINE, f"{said}, which go along")
        else:
            yield Point("settings", TO_DO, f"{said}: these lines are in settings.conf")
    if refused := targets.not_taken(plan.target, dict(survey.settings)):
        yield Point("settings", LOST, f"{listed(refused)}, which the target sets itself")
    if "idle_session_timeout" in survey.settings:
        yield Point(
            "settings", FINE, "idle_session_timeout stays behind: it is there for the sleep"
        )
