"""An instance that is to leave, as its survey and its export have it."""

from dataclasses import replace

from sockwake.admin.leave import export_files, preflight, targets
from sockwake.admin.leave.export_files import File, Source
from sockwake.admin.leave.findings import Plan, Point
from sockwake.admin.leave.survey import Database, Role, Survey

SECRET = "se\"c'r$e%t: # {{ }}"
POSTGRES = Database("postgres", "postgres", "UTF8", 8_000_000)
SHOP = Database(
    "shop",
    "shop",
    "UTF8",
    120 << 20,
    collate="en_US.utf8",
    ctype="en_US.utf8",
    version="2.36",
    actual="2.36",
    extensions={"hstore": "1.8", "vector": "0.8.0", "pg_cron": "1.6"},
    relations=4,
)
SURVEY = Survey(
    "17.6",
    checksums=True,
    wal_level="logical",
    settings={
        "work_mem": "64MB",
        "search_path": "\"$user\", public, 'odd'",
        "shared_preload_libraries": "pg_cron, auto_explain",
        "archive_command": "cp %p /srv/wal/%f",
        "idle_session_timeout": "15min",
        "listen_addresses": "",
    },
    databases=(POSTGRES, SHOP),
    roles=(Role("postgres", True, True, "scram"), Role("shop", False, True, "scram")),
    tablespaces={},
)
WAYS = [
    (target, method) for target in targets.TARGETS.values() for method in target.methods or ("",)
]


def plan(to: str, method: str = "", database: str = "shop", tls: bool = False) -> Plan:
    target = targets.TARGETS[to]
    return Plan(target, method, database if to == targets.CNPG else "", tls=tls)


def source(survey: Survey = SURVEY, *, tls: bool = False) -> Source:
    made = Source(
        name="shop-1",
        survey=survey,
        image="postgres:17",
        listen=("127.0.0.1", "::1"),
        port=25432,
        user="postgres",
        password=SECRET,
        database="postgres",
        host="db.example",
        data="/var/lib/sockwake/shop-1",
        socket_unit="pg-proxy@shop-1.socket",
        owner=(70, 71),
        limits=(1 << 30, 150, 100),
    )
    if not tls:
        return made
    return replace(made, tls=("CERT\n", "KEY\n"), certificate="CERT\n", sslmode="verify-ca")


def found(to: str, survey: Survey = SURVEY, method: str = "", **more: object) -> list[Point]:
    return preflight.points(survey, replace(plan(to, method), **more))  # type: ignore[arg-type]


def files(
    to: str, method: str = "", survey: Survey = SURVEY, tls: bool = False, is_user: bool = False
) -> dict[str, File]:
    way = plan(to, method, tls=tls)
    points = preflight.points(survey, way)
    whose = replace(source(survey, tls=tls), is_user=is_user)
    return export_files.files(whose, way, points, "2026-11-29T01:00:00Z")
