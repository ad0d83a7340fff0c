"""The files of an export, as texts. Pure: what the survey of an instance found decides them."""

import json
import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sockwake.admin import templates
from sockwake.admin.leave import targets
from sockwake.admin.leave.findings import Plan, Point
from sockwake.admin.leave.survey import Database, Survey
from sockwake.admin.leave.targets import CNPG, COMPOSE, MONOLITH, PATRONI, QUADLET, SQL
from sockwake.admin.words import size
from sockwake.config.settings import pgdata
from sockwake.errors import shown
from sockwake.oci import names
from sockwake.postgres import cluster
from sockwake.postgres.names import identifier

_FORMATS = os.path.join(os.path.dirname(__file__), "formats")
_TITLES = {
    SQL: "A dump",
    COMPOSE: "A compose project",
    QUADLET: "A Quadlet for podman",
    PATRONI: "The configuration of a Patroni cluster",
    CNPG: "Manifests for CloudNativePG",
}
_SECRET, _PLAIN, _PROGRAM = 0o600, 0o644, 0o755
_GIB = 1 << 30
_SLACK = 2  # times the size of all databases: the dump lies beside the data while it is imported
CLUSTER_SQL = "cluster.sql"  # written by pg_dumpall


@dataclass(frozen=True)
class Source:
    """An instance that is to leave.

    listen: its IP addresses. host, sslmode, certificate: by which other machines reach and verify
    it. token: another random password. tls: certificate and key, ("", "") without. owner: user and
    group of the server in the image, which a Quadlet with TLS has to name. limits: memory in bytes,
    hundredths of a processor, processes; 0 for none. is_user: whether it is a user's own.
    """

    name: str
    survey: Survey
    image: str
    listen: tuple[str, ...]
    port: int
    user: str
    password: str
    database: str
    host: str
    data: str
    socket_unit: str
    token: str = ""
    sslmode: str = "prefer"
    certificate: str = ""
    tls: tuple[str, str] = ("", "")
    owner: tuple[int, int] = (0, 0)
    limits: tuple[int, int, int] = (0, 0, 0)
    is_user: bool = False

    @property
    def major(self) -> int:
        return int(self.survey.version.split(".")[0])


@dataclass(frozen=True)
class File:
    """A file of an export, which is whose the export is."""

    mode: int
    text: str


def files(source: Source, plan: Plan, points: list[Point], made: str) -> dict[str, File]:
    """The files by their names, without cluster.sql. made: when, for the README.

    Raises SockwakeError without jinja2.
    """
    environment = templates.environment(_FORMATS)
    filters: dict[str, Callable[[str], str]] = {
        "compose": lambda text: _quoted(text).replace("$", "$$"),
        "quoted": _quoted,
        "shell": shlex.quote,
        "shown": shown,
        "unit": _unit_word,
        "identifier": identifier,
    }
    environment.filters.update(filters)
    values = _values(source, plan) | {
        "points": points,
        "made": made,
        "target": plan.target.name,
        "title": _TITLES[plan.target.name],
    }

    def render(template: str) -> str:
        return environment.get_template(f"{template}.j2").render(values)

    found = {"README": File(_PLAIN, render("README"))}
    return found | _OF[plan.target.name](source, plan, render)


Render = Callable[[str], str]


def _sql(source: Source, plan: Plan, _render: Render) -> dict[str, File]:
    own = targets.settings_for(plan.target, dict(source.survey.settings))
    lines = [f"{name} = {_setting(value)}\n" for name, value in own.items()]
    return {"settings.conf": File(_PLAIN, "".join(lines))} if lines else {}


def _compose(source: Source, _plan: Plan, render: Render) -> dict[str, File]:
    return {
        "compose.yaml": File(_PLAIN, render("compose.yaml")),
        "load": File(_PROGRAM, render("load-compose")),
        "password": File(_SECRET, f"{source.password}\n"),
    } | _pair(source)


def _quadlet(source: Source, _plan: Plan, render: Render) -> dict[str, File]:
    return {
        f"{source.name}.container": File(_PLAIN, render("quadlet.container")),
        "load": File(_PROGRAM, render("load-quadlet")),
        # podman secret create takes the file as it is
        "password": File(_SECRET, source.password),
    } | _pair(source)


def _patroni(source: Source, _plan: Plan, render: Render) -> dict[str, File]:
    return {
        "patroni.yml": File(_SECRET, render("patroni.yml")),
        "node.env": File(_PLAIN, render("node.env")),
    } | _pair(source)


def _cnpg(_source: Source, plan: Plan, render: Render) -> dict[str, File]:
    found = {
        "secret.yaml": File(_SECRET, render("secret.yaml")),
        "cluster.yaml": File(_PLAIN, render("cluster.yaml")),
    }
    if plan.method == targets.SUBSCRIPTION:
        found["subscription.yaml"] = File(_PLAIN, render("subscription.yaml"))
        found["source.sql"] = File(_PLAIN, render("source.sql"))
    return found


_OF = {SQL: _sql, COMPOSE: _compose, QUADLET: _quadlet, PATRONI: _patroni, CNPG: _cnpg}


def _pair(source: Source) -> dict[str, File]:
    certificate, key = source.tls
    if not certificate:
        return {}
    return {"server.crt": File(_PLAIN, certificate), "server.key": File(_SECRET, key)}


def _values(source: Source, plan: Plan) -> dict[str, object]:
    memory, cpus, pids = source.limits
    survey, tls = source.survey, bool(source.tls[0])
    gucs = targets.settings_for(plan.target, dict(survey.settings))
    if plan.target.same_image and tls:
        place = "/etc/ssl" if plan.target.name == COMPOSE else "/run/secrets"
        gucs |= {
            "ssl": "on",
            "ssl_cert_file": f"{place}/server.crt",
            "ssl_key_file": f"{place}/server.key",
        }
    return {
        "name": source.name,
        "version": survey.version,
        "major": source.major,
        "size": size(survey.size),
        "image": source.image,
        "full_image": names.normal(source.image),
        "gucs": gucs,
        "user": source.user,
        "password": source.password,
        "token": source.token,
        "published": [_published(each, source.port) for each in source.listen or ("127.0.0.1",)],
        "port": source.port,
        "host": source.host,
        "mount": cluster.mount(source.major),
        "tls": tls,
        "uid": source.owner[0],
        "gid": source.owner[1],
        "initdb": _initdb(survey, plan),
        "data": pgdata(source.data, source.major),
        "socket_unit": source.socket_unit,
        "systemctl": "systemctl --user" if source.is_user else "systemctl",
        "own": " --user" if source.is_user else "",
        "wanted_by": "default.target" if source.is_user else "multi-user.target",
        "memory": f"{memory}" if memory else "",
        "cpus": f"{cpus / 100:g}" if cpus else "",
        "pids": pids or "",
        "checksums": survey.checksums,
        "standby": plan.method == targets.STANDBY,
        **_of_cnpg(source, plan),
    }


def _initdb(survey: Survey, plan: Plan) -> str:
    """The arguments by which the image makes as careful a cluster as sockwake does.

    And one that sorts as that one: no dump makes the database postgres, which comes with it. The
    locale of a server of the host's may not be one of the image's.
    """
    words = ["--data-checksums"] if survey.checksums else []
    words += ["--auth-local=scram-sha-256", "--auth-host=scram-sha-256"]
    first = next((each for each in survey.databases if each.name == "postgres"), None)
    if not (plan.same_image and first):
        return " ".join([*words, "--encoding=UTF8"])
    words += [f"--encoding={first.encoding}"]
    words += [f"--lc-collate={first.collate}", f"--lc-ctype={first.ctype}"]
    if first.provider != "libc":
        words += [f"--locale-provider={first.provider}"]
        words += [f"--{first.provider}-locale={first.locale}"]
    return shlex.join(words)


def _of_cnpg(source: Source, plan: Plan) -> dict[str, object]:
    database = next((each for each in source.survey.databases if each.name == plan.database), None)
    libraries = source.survey.settings.get("shared_preload_libraries", "").split(",")
    return {
        "method": plan.method,
        "cluster": source.name,
        "source": f"{source.name}-source",
        "publication": "sockwake",
        "database": "*" if plan.method == MONOLITH else plan.database,
        "connect_to": source.database,
        "target_database": target_name(plan.database, source.name),
        "owner": target_name(_owner(database), source.name),
        "encoding": database.encoding if database else "UTF8",
        "locale": _locale(database) if database else {},
        "libraries": [each.strip() for each in libraries if each.strip()],
        "storage": f"{max(1, -(-_SLACK * source.survey.size // _GIB))}Gi",
        "sslmode": source.sslmode,
        "certificate": source.certificate,
    }


def target_name(name: str, otherwise: str) -> str:
    """The name of a database or a role in CloudNativePG, where postgres is the operator's."""
    return name if name != "postgres" else otherwise.replace("-", "_")


def _owner(database: Database | None) -> str:
    return database.owner if database else "postgres"


def _locale(database: Database) -> Mapping[str, str]:
    """What has initdb make the same collation."""
    found = {"localeCollate": database.collate, "localeCType": database.ctype}
    if database.provider == "icu":
        return found | {"localeProvider": "icu", "icuLocale": database.locale}
    if database.provider == "builtin":
        return found | {"localeProvider": "builtin", "builtinLocale": database.locale}
    return found


def _published(address: str, port: int) -> str:
    return f"{f'[{address}]' if ':' in address else address}:{port}:5432"


def _quoted(text: str) -> str:
    """text as a string of YAML, which takes those of JSON."""
    return json.dumps(text, ensure_ascii=False)


def _unit_word(text: str) -> str:
    """text as one word of a unit's line, which systemd takes literally."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def _setting(value: str) -> str:
    """A value of postgresql.conf."""
    doubled = value.replace("\\", "\\\\").replace("'", "''")
    return f"'{doubled}'"
