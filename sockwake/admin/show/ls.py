"""sockwake ls: every instance, and the state of its systemd units."""

import os
from functools import cached_property

from sockwake.admin import columns, inventory
from sockwake.admin.show import exposure, facts
from sockwake.clients import connections
from sockwake.config import scope, timespan
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings, load
from sockwake.engine import belongings
from sockwake.engine.api import Engine, EngineError
from sockwake.engine.resources import engines_of
from sockwake.errors import SockwakeError
from sockwake.lifecycle.runtime import WAKING
from sockwake.system import port_owner, procnet, systemctl

_COLUMNS = ("name", "state", "clients", "kind", "version", "idle")
FAILED = "failed"
_UNWATCHED = "unwatched"
_DOWN = ("inactive", "failed")  # ActiveState of a backend
_BACKEND_STATES = {"activating": "waking", "deactivating": "falling asleep"}


class Sight:
    """Tables that are read once for all rows.

    units: (ActiveState, StatusText) of every loaded unit. tables: the kernel's of connections.
    """

    def __init__(self, units: dict[str, tuple[str, str]]) -> None:
        self.units = units
        self.tables = procnet.Snapshot()
        self._known: dict[str, set[str]] = {}

    def runs(self, instance: Instance, settings: Settings) -> bool:
        """Whether the engine runs a container of an instance; False when it does not answer."""
        engines = [] if instance.root else engines_of(settings)
        return any(instance.name in self._running(engine) for engine in engines)

    def _running(self, engine: Engine) -> set[str]:
        if engine.path not in self._known:
            try:
                self._known[engine.path] = belongings.running(engine)
            except EngineError:
                self._known[engine.path] = set()
        return self._known[engine.path]

    @cached_property
    def owners(self) -> dict[str, int]:
        return port_owner.owners()


def state(socket: str, backend: str, status: str) -> str:
    """The state of an instance, by the ActiveState of its units and the waker's StatusText."""
    if backend == "active":
        return "waking" if status == WAKING else "awake"
    if backend in _BACKEND_STATES:
        return _BACKEND_STATES[backend]
    return {"active": "asleep", "failed": FAILED}.get(socket, "off")


def rows(root: str = "") -> list[dict[str, object]]:
    """One row for each instance; "error": what is wrong with its files, or why a wake failed."""
    sight = Sight({} if root else systemctl.states("pg-*@*"))
    made = [_row_or_error(instance, sight) for instance in inventory.instances(root)]
    drafts: list[dict[str, object]] = [
        {"name": draft.name, "state": _draft_state(draft)} for draft in inventory.unfinished(root)
    ]
    return sorted([*made, *drafts], key=lambda row: str(row["name"]))


def row(instance: Instance, settings: Settings) -> dict[str, object]:
    """The row of one instance."""
    units = {} if instance.root else systemctl.states(f"pg-*@{instance.name}.*")
    return _row(instance, settings, Sight(units))


def table(listed: list[dict[str, object]]) -> str:
    """The rows as text, in columns, with the failures below."""
    lines: list[tuple[str, ...]] = [(*(key.upper() for key in _COLUMNS), "LISTEN")]
    for row in listed:
        cells = ("-" if row.get(key, "") == "" else str(row[key]) for key in _COLUMNS)
        lines.append((*cells, _places(row)))
    failures = [
        f"{row['name']}: {'' if row['state'] == FAILED else 'the last wake failed: '}{row['error']}"
        for row in listed
        if "listen" in row and "error" in row
    ]
    return "\n".join(columns.aligned(lines) + failures)


def _places(row: dict[str, object]) -> str:
    """Where an instance of a row listens; what is wrong with one that has no valid instance.env."""
    ports, listen = row.get("ports"), row.get("listen")
    if isinstance(ports, list):
        return ", ".join(str(each).partition("=")[0] for each in ports)
    if isinstance(listen, list):
        return ", ".join(_where(item, row.get("port")) for item in listen)
    return str(row.get("error", ""))


def _row_or_error(instance: Instance, sight: Sight) -> dict[str, object]:
    """The row of one instance, or why its instance.env cannot be read."""
    try:
        settings = load(instance)
    except SockwakeError as error:
        return {"name": instance.name, "state": "broken", "error": error.whole}
    return _row(instance, settings, sight)


def _row(instance: Instance, settings: Settings, sight: Sight) -> dict[str, object]:
    nothing = ("inactive", "")
    socket, _ = sight.units.get(instance.socket_unit, nothing)
    backend, status = sight.units.get(instance.backend_unit, nothing)
    if not status and not _may_be_ready(instance):
        status = WAKING
    row: dict[str, object] = {
        "name": instance.name,
        "state": state(socket, backend, status),
        "clients": 0 if instance.root else connections.connected(settings, sight.tables),
        "kind": settings.kind,
        "version": settings.version,
        "idle": "infinity" if settings.idle == timespan.INFINITY else f"{settings.idle:.10g}s",
        "listen": list(settings.listen),
        "port": settings.port,
        "allow": list(settings.allow),
        "image": settings.image,
        "data": settings.data,
        "tls": settings.tls,
        **facts.runtime(instance, settings),
    }
    if settings.is_project:
        row |= {"project": settings.project, "ports": [str(port) for port in settings.ports]}
    warnings = [exposure.warning(settings)]
    if backend in _DOWN and sight.runs(instance, settings):
        row["state"] = _UNWATCHED
        look = scope.command("systemctl", f"start {instance.check_unit}.service")
        warnings.append(f"it runs though no client woke it: {look} stops it")
    row |= {"warning": "; ".join(filter(None, warnings))} if any(warnings) else {}
    failure = _unopened(settings, sight) if row["state"] == FAILED else facts.last_failure(instance)
    return row | ({"error": failure} if failure else {})


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


def _where(item: str, port: object) -> str:
    if item.startswith("/"):
        return item
    return f"[{item}]:{port}" if ":" in item else f"{item}:{port}"
