"""sockwake export NAME: an instance as files for another home, after a look at what would be lost.

The instance is woken and held awake meanwhile, and nothing in it is changed. Its port may be closed
to all others: nothing here goes through it.
"""

import json
import os
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sockwake.admin import inventory
from sockwake.admin.leave import dump, export_files, output, preflight, survey, targets
from sockwake.admin.leave.export_files import Source
from sockwake.admin.leave.findings import Plan, Point
from sockwake.admin.leave.server import Server
from sockwake.admin.leave.survey import Survey
from sockwake.admin.leave.targets import CNPG, PATRONI, QUADLET, Target
from sockwake.admin.steer.wake import require_power
from sockwake.admin.words import size
from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings, load
from sockwake.errors import USAGE, SockwakeError
from sockwake.lifecycle import backups, holds
from sockwake.postgres import password, tls
from sockwake.system import files, systemctl

_SLACK = 16 << 20  # bytes beside the dump
_LOOPBACK = ("127.", "::1", "localhost")
_PORT_EVERYWHERE = ("0.0.0.0", "::")


@dataclass(frozen=True)
class Wish:
    """What is asked for. method, host, database: "" for the usual one. output: an absolute path,
    "" for the preflight alone."""

    target: Target
    output: str = ""
    method: str = ""
    host: str = ""
    database: str = ""


@dataclass(frozen=True)
class Found:
    """What was found, and what was written: the names of files, none after a preflight alone."""

    source: Source
    plan: Plan
    points: list[Point]
    written: list[str]


def export(instance: Instance, wish: Wish, tell: Callable[[Found], object]) -> Found:
    """Look at an instance, and write its export; raises SockwakeError with nothing written.

    tell: gets what was found before anything is written.
    """
    settings = load(instance)
    _require_possible(instance, settings, wish)
    if wish.output:
        output.require_free(wish.output)
    secret = password.require_password(instance)
    inventory.say(f"waking {instance.name}")
    with holds.hold(instance, f"export to {wish.target.name}"):
        server = Server(instance, settings, secret)
        found = survey.of(server, settings, _memory(instance))
        source = _source(instance, settings, found, server, wish)
        plan = _plan(source, settings, wish)
        points = preflight.points(found, plan)
        tell(Found(source, plan, points, []))
        if not wish.output:
            return Found(source, plan, points, [])
        if stops := preflight.stopping(points):
            raise SockwakeError(
                f"'{instance.name}' cannot go to {wish.target.title}: {stops[0].text}",
                "nothing was written; --check shows all that was found",
            )
        return Found(source, plan, points, _write(server, source, plan, points, wish.output))


def _require_possible(instance: Instance, settings: Settings, wish: Wish) -> None:
    require_power()
    if not settings.has_cluster:
        raise SockwakeError(
            f"instance '{instance.name}' is no PostgreSQL, but of kind '{settings.kind}'",
            _other_way(instance, settings),
        )
    if wish.method and wish.method not in wish.target.methods:
        known = ", ".join(wish.target.methods)
        raise SockwakeError(
            f"'{wish.method}' is no way to {wish.target.title}",
            f"--method is one of {known}" if known else "leave out --method",
            USAGE,
        )
    if wish.database and wish.target.name != CNPG:
        raise SockwakeError(
            "--database is for --to cloudnative-pg", "all databases go to the others", USAGE
        )


def _other_way(instance: Instance, settings: Settings) -> str:
    """How an instance leaves that is no PostgreSQL."""
    if settings.is_project:
        return f"its compose project is in {settings.project}, and runs elsewhere as it is"
    data = f"; its data are in {settings.data}" if settings.data else ""
    if settings.is_container:
        shown = scope.command("sockwake compose", instance.name)
        return f"{shown} config prints its compose file{data}"
    return f"{instance.service_file} has the command of its unit{data}"


def _source(
    instance: Instance, settings: Settings, found: Survey, server: Server, wish: Wish
) -> Source:
    own = [item for item in settings.listen if not item.startswith("/")]
    host = wish.host or _reached_at(own)
    certificate = files.text_of(instance.tls_certificate) if settings.tls else ""
    sslmode = tls.verification(instance.tls_certificate, host) if settings.tls else "prefer"
    limits = settings.limits
    return Source(
        name=instance.name,
        survey=found,
        image=settings.image or f"postgres:{settings.major}",
        listen=tuple(own),
        port=settings.port,
        user=settings.db_user,
        password=server.secret,
        database=settings.db_name,
        host=host,
        data=settings.data,
        socket_unit=instance.socket_unit,
        token=password.new_password().strip(),
        sslmode=sslmode,
        certificate=certificate if sslmode != tls.ENCRYPTED else "",
        tls=(certificate, files.text_of(instance.tls_key) if settings.tls else ""),
        owner=server.owner() if settings.tls and wish.target.name == QUADLET else (0, 0),
        limits=(limits.memory, limits.cpus, limits.pids),
        is_user=scope.is_user(),
    )


def _reached_at(listen: list[str]) -> str:
    """The address at which other machines reach an instance, as far as it is known here."""
    others = [each for each in listen if not each.startswith(_LOOPBACK)]
    first = next(iter(others), "")
    return first if first and first not in _PORT_EVERYWHERE else socket.getfqdn()


def _plan(source: Source, settings: Settings, wish: Wish) -> Plan:
    names = [each.name for each in source.survey.databases]
    if wish.database and wish.database not in names:
        raise SockwakeError(
            f"'{source.name}' has no database '{wish.database}'", f"it has {', '.join(names)}"
        )
    matter = [each.name for each in source.survey.databases if each.matters]
    first = source.database if source.database in matter else "".join(matter[:1])
    usual = "".join(wish.target.methods[:1])
    if wish.target.name == CNPG and len(matter) > 1 and not wish.database:
        usual = targets.MONOLITH
    reaches = wish.target.name in (CNPG, PATRONI)
    return Plan(
        wish.target,
        wish.method or usual,
        wish.database or first or source.database if wish.target.name == CNPG else "",
        reachable=not reaches or any(not each.startswith(_LOOPBACK) for each in source.listen),
        tls=settings.tls,
        sockets=tuple(item for item in settings.listen if item.startswith("/")),
        allow=settings.allow,
        is_of_host=not settings.is_container,
    )


def _memory(instance: Instance) -> int:
    """The most bytes that it is known to have had, with its page cache; 0 when not known."""
    told = systemctl.properties([instance.backend_unit], "MemoryPeak")
    peak = told.get(instance.backend_unit, {}).get("MemoryPeak", "")
    taken = files.text_of(instance.memory_taken).strip()
    # the largest number of 64 bits stands for none
    return max(int(each) if each.isdigit() and len(each) < 18 else 0 for each in (peak, taken))


def _write(
    server: Server, source: Source, plan: Plan, points: list[Point], place: str
) -> list[str]:
    """Write all files; returns their names."""
    texts = export_files.files(source, plan, points, backups.written(time.time()))
    dumps = not plan.target.by_files and plan.target.name != CNPG
    if dumps:
        _require_room(os.path.dirname(place), source.survey)
    with output.made_whole(place) as begun:
        report = json.dumps(facts(Found(source, plan, points, [])), indent=2, ensure_ascii=False)
        files.write_new(f"{begun}/preflight.json", 0o644, f"{report}\n")
        for name, file in texts.items():
            files.write_new(f"{begun}/{name}", file.mode, file.text)
        if dumps:
            inventory.say(f"dumping {size(source.survey.size)}")
            dump.write(server, source, f"{begun}/{export_files.CLUSTER_SQL}")
        return sorted(name for name in os.listdir(begun) if name != output.MARK)


def _require_room(directory: str, found: Survey) -> None:
    """Raise SockwakeError when a file system has less room than the databases take."""
    free = files.free_room(directory)
    if free < found.size + _SLACK:
        raise SockwakeError(
            f"{directory} has room for {size(free)}, and the databases take {size(found.size)}",
            "--output names a directory elsewhere",
        )


def facts(found: Found) -> Mapping[str, object]:
    """What --json says."""
    told = found.source.survey
    return {
        "name": found.source.name,
        "to": found.plan.target.name,
        "method": found.plan.method or None,
        "version": told.version,
        "databases": [each.name for each in told.databases],
        "size_bytes": told.size,
        "points": [
            {"subject": each.subject, "weight": each.weight, "text": each.text}
            for each in found.points
        ],
        "files": found.written,
    }
