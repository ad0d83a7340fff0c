"""sockwake ls: every instance, and the state of its systemd units."""

import os
from collections.abc import Sequence

from sockwake.admin import inventory, operands
from sockwake.admin.show import exposure, facts, times
from sockwake.admin.show.sight import DOWN, Sight
from sockwake.clients import connections
from sockwake.config import forwarding, scope, timespan
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings, load
from sockwake.errors import SockwakeError
from sockwake.lifecycle import runtime
from sockwake.system import files, port_owner

ASLEEP, AWAKE, BROKEN, FAILED, OFF = "asleep", "awake", "broken", "failed", "off"
FORWARDED = "forwarded"
_UNWATCHED = "unwatched"
_BACKEND_STATES = {"activating": runtime.WAKING, "deactivating": "falling asleep"}
STATES = (ASLEEP, runtime.WAKING, AWAKE, "falling asleep", FORWARDED, FAILED, OFF, BROKEN)


def state(socket: str, backend: str, status: str) -> str:
    """The state of an instance, by the ActiveState of its units and the waker's StatusText."""
    if backend == "active":
        return runtime.WAKING if status == runtime.WAKING else AWAKE
    if backend in _BACKEND_STATES:
        return _BACKEND_STATES[backend]
    return {"active": ASLEEP, "failed": FAILED}.get(socket, OFF)


def rows(root: str = "", words: Sequence[str] = ()) -> list[dict[str, object]]:
    """One row for each instance; "error": what is wrong with its files, or why a wake failed.

    words: names and wildcards, none for all. Raises SockwakeError (unknown) for a wildcard that
    matches nothing.
    """
    instances, drafts = inventory.instances(root), inventory.unfinished(root)
    if words:
        chosen = operands.names(words, root)
        instances = [each for each in instances if each.name in chosen]
        drafts = [each for each in drafts if each.name in chosen]
    sight = Sight(instances, root)
    made = [_row_or_error(instance, sight) for instance in instances]
    made += [{"name": draft.name, "state": _draft_state(draft)} for draft in drafts]
    return sorted(made, key=lambda row: str(row["name"]))


def row(instance: Instance, settings: Settings) -> dict[str, object]:
    """The row of one instance."""
    return _row(instance, settings, Sight([instance], instance.root))


def missing(root: str, words: Sequence[str]) -> SockwakeError | None:
    """The error for names that are not there, which are said; see operands.there()."""
    if not words:
        return None
    known = {each.name for each in (*inventory.instances(root), *inventory.unfinished(root))}
    return operands.there(operands.names(words, root), known.__contains__)[1]


def _row_or_error(instance: Instance, sight: Sight) -> dict[str, object]:
    """The row of one instance, or why its instance.env cannot be read."""
    try:
        settings = load(instance)
    except SockwakeError as error:
        return {"name": instance.name, "state": BROKEN, "error": error.whole}
    return _row(instance, settings, sight)


def _row(instance: Instance, settings: Settings, sight: Sight) -> dict[str, object]:
    backend, status = sight.state(instance.backend_unit), sight.status(instance.backend_unit)
    if backend == "active" and not status and not _may_be_ready(instance):
        status = runtime.WAKING
    now = state(sight.state(instance.socket_unit), backend, status)
    is_forwarded = forwarding.is_there(instance)
    if now == ASLEEP and is_forwarded:
        now = FORWARDED
    clients = 0 if instance.root else connections.connected(settings, sight.tables)
    row: dict[str, object] = {
        "name": instance.name,
        "state": now,
        "state_since": times.moment(_since(instance, sight)),
        "clients": clients,
        "memory_bytes": 0 if backend in DOWN else sight.memory(instance, settings),
        "next_sleep": None,
        "held": instance.name in sight.held,
        "kind": settings.kind,
        "version": settings.version,
        "idle": "infinity" if settings.idle == timespan.INFINITY else f"{settings.idle:.10g}s",
        "address": facts.address(instance, settings),
        "listen": list(settings.listen),
        "port": settings.port,
        "allow": list(settings.allow),
        "image": settings.image,
        "data": settings.data,
        "tls": settings.tls,
        **facts.runtime(instance, settings),
    }
    if now == AWAKE and not clients and not row["held"]:
        row["next_sleep"] = times.moment(_next_sleep(instance, settings))
    if is_forwarded:
        row["forwarded_to"] = forwarding.places(instance)
    if settings.is_project:
        row |= {"project": settings.project, "ports": [str(port) for port in settings.ports]}
    return row | _what_is_wrong(instance, settings, sight, now)


def _what_is_wrong(
    instance: Instance, settings: Settings, sight: Sight, now: str
) -> dict[str, object]:
    """The keys "state", "warning" and "error" of a row, as far as there is a reason for them."""
    found: dict[str, object] = {}
    warnings = [exposure.warning(settings)]
    if sight.state(instance.backend_unit) in DOWN and sight.runs(instance, settings):
        found["state"] = _UNWATCHED
        look = scope.command("systemctl", "start", f"{instance.check_unit}.service")
        warnings.append(f"it runs though no client woke it: {look} stops it")
    if any(warnings):
        found["warning"] = "; ".join(filter(None, warnings))
    failure = _unopened(settings, sight) if now == FAILED else ""
    if not failure and sight.has_run(instance):
        failure = runtime.last_failure(instance)
    return found | ({"error": failure} if failure else {})


def _since(instance: Instance, sight: Sight) -> float | None:
    """When it got into its state, in seconds since the boot; None when that is not known."""
    if sight.state(instance.backend_unit) not in DOWN:
        return sight.changed(instance.backend_unit)
    if sight.state(instance.socket_unit) == "active" and sight.has_run(instance):
        noted = _seconds(instance.asleep_since)
        if noted is not None:
            return noted
    return sight.changed(instance.socket_unit)


def _next_sleep(instance: Instance, settings: Settings) -> float | None:
    """When an instance without clients sleeps, in seconds since the boot; infinity for never.

    None where no monitor notes when the last client left (lifecycle/monitor.py).
    """
    visit = _seconds(instance.last_visit)
    return times.from_monotonic(visit) + settings.idle if visit is not None else None


def _seconds(path: str) -> float | None:
    """The number in a file; None when there is none."""
    try:
        return float(files.text_of(path))
    except ValueError:
        return None


def _unopened(settings: Settings, sight: Sight) -> str:
    """Why the socket unit could not open its port; another program may have it still."""
    for address, port in settings.places if settings.port else ():
        if holder := port_owner.holder([address], port, sight.tables, sight.owners):
            return f"port {port} is taken by {holder}"
    return "its port could not be opened"


def _may_be_ready(instance: Instance) -> bool:
    """Whether the ready file is there, or its directory cannot be read.

    systemd does not know it of a program.
    """
    try:
        return bool(os.stat(instance.ready_file))
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _draft_state(draft: Instance) -> str:
    return "unfinished" if inventory.is_abandoned(draft) else "being made"
