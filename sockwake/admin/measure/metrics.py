"""sockwake metrics: the text format 0.0.4 of Prometheus. Asks systemd, journal and kernel alone."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sockwake.admin import inventory
from sockwake.admin.measure import charts, counters
from sockwake.admin.measure.counters import Counters
from sockwake.admin.show import ls
from sockwake.clients import connections
from sockwake.config import forwarding
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import load
from sockwake.errors import SockwakeError
from sockwake.lifecycle import backups, upkeep, wakes
from sockwake.lifecycle.runtime import WAKING
from sockwake.system import files, procnet, systemctl

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_NOTHING = ("inactive", "")


@dataclass(frozen=True)
class Seen:
    """What is seen of an instance at one moment.

    clients: None when its files are broken. backup: when its last good backup was finished, in
    seconds since 1970, and upkeep its last upkeep; None without one. has_failed: whether the last
    attempt at a backup has; None when none was made.
    """

    name: str
    state: str
    clients: int | None
    backup: float | None = None
    has_failed: bool | None = None
    upkeep: float | None = None


def text(names: Sequence[Name] = ()) -> str:
    """All metrics, of every instance without names."""
    units, tables = systemctl.states("pg-*@*"), procnet.Snapshot()
    chosen = [each for each in inventory.instances() if not names or each.name in names]
    each = [see(instance, units, tables) for instance in chosen]
    with counters.counted() as known:
        for gone in set(known) - {instance.name for instance in inventory.instances()}:
            del known[gone]
        # asked behind the journal, so that no spell counts twice
        return written(each, known, wakes.awake(chosen))


def see(instance: Instance, units: dict[str, tuple[str, str]], tables: procnet.Snapshot) -> Seen:
    """Look at one instance; units: of every loaded one its (ActiveState, StatusText)."""
    try:
        settings = load(instance)
    except SockwakeError:
        return Seen(instance.name, ls.BROKEN, None)
    socket, _ = units.get(instance.socket_unit, _NOTHING)
    backend, status = units.get(instance.backend_unit, _NOTHING)
    if not status and not os.path.exists(instance.ready_file):
        status = WAKING
    state = ls.state(socket, backend, status)
    if state == ls.ASLEEP and forwarding.is_there(instance):
        state = ls.FORWARDED
    clients = connections.connected(settings, tables)
    last, has_failed = backups.last_good(instance), backups.failure(instance) is not None
    note = upkeep.read(instance)
    return Seen(
        instance.name,
        state,
        clients,
        last.finished if last else None,
        has_failed if last or has_failed else None,
        note.finished if note else None,
    )


def written(each: Sequence[Seen], known: dict[str, Counters], present: Mapping[str, float]) -> str:
    """The metrics as text.

    known: of instances that were ever woken in this boot. present: for how many seconds those are
    awake that are.
    """
    counted = [(one.name, known.setdefault(one.name, Counters())) for one in each]
    blocks = [
        _block(
            "instance_state",
            "gauge",
            "1 for the state that the instance is in, 0 for every other.",
            (
                (_labels(name=one.name, state=state), one.state == state)
                for one in each
                for state in ls.STATES
            ),
        ),
        _block(
            "clients",
            "gauge",
            "Connections to the port, those in its queue among them.",
            ((_labels(name=one.name), one.clients) for one in each if one.clients is not None),
        ),
        *_of_upkeep(each),
        *_of_the_journal(counted, present),
    ]
    return "".join(blocks)


def _of_upkeep(each: Sequence[Seen]) -> Iterator[str]:
    for name, what, value in (
        ("last_backup_timestamp_seconds", "When its last good backup was finished.", "backup"),
        ("backup_failed", "Whether the last attempt at a backup has failed.", "has_failed"),
        ("last_upkeep_timestamp_seconds", "When its last upkeep was finished.", "upkeep"),
    ):
        known = [(_labels(name=one.name), getattr(one, value)) for one in each]
        yield _block(name, "gauge", what, ((key, told) for key, told in known if told is not None))


def _of_the_journal(
    counted: Sequence[tuple[str, Counters]], present: Mapping[str, float]
) -> Iterator[str]:
    results = [
        (_labels(name=name, result=result), count)
        for name, each in counted
        for result, count in (("success", each.wakes), ("failure", each.failures))
    ]
    yield _block("wakes_total", "counter", "Wakes since the boot, by result.", results)
    yield _histogram(counted)
    for name, what, value in (
        ("unasked_ends_total", "Backends that ended unasked while awake.", "crashes"),
        ("refused_clients_total", "Clients that were told why it cannot start.", "refused"),
        ("strangers_total", "Connections that sent nothing, and woke nothing.", "strangers"),
    ):
        samples = ((_labels(name=one), getattr(each, value)) for one, each in counted)
        yield _block(name, "counter", what, samples)
    yield _block(
        "awake_seconds_total",
        "counter",
        "Seconds awake since the boot.",
        (
            (_labels(name=name), round(each.seconds_awake(present.get(name, 0)), 3))
            for name, each in counted
        ),
    )
    yield _block(
        "memory_at_last_sleep_bytes",
        "gauge",
        "Memory that it had when it fell asleep last: of its own, and of the page cache.",
        (
            (_labels(name=name, type=kind), value)
            for name, each in counted
            for kind, value in (("own", each.memory), ("page_cache", each.cache))
            if value is not None
        ),
    )


def _histogram(counted: Sequence[tuple[str, Counters]]) -> str:
    base = "sockwake_wake_duration_seconds"
    lines = [
        f"# HELP {base} How long wakes took, until the first client was served.",
        f"# TYPE {base} histogram",
    ]
    for name, each in counted:
        total = 0
        for edge, count in zip((*map(str, charts.BUCKETS), "+Inf"), each.buckets):
            total += count
            lines.append(f"{base}_bucket{_labels(name=name, le=edge)} {total}")
        lines.append(f"{base}_sum{_labels(name=name)} {round(each.seconds, 3)}")
        lines.append(f"{base}_count{_labels(name=name)} {total}")
    return "\n".join(lines) + "\n"


def _block(name: str, kind: str, what: str, samples: Iterable[tuple[str, float]]) -> str:
    lines = [f"sockwake_{name}{labels} {value + 0}" for labels, value in samples]
    head = [f"# HELP sockwake_{name} {what}", f"# TYPE sockwake_{name} {kind}"]
    return "\n".join([*head, *lines]) + "\n"


def _labels(**labels: str) -> str:
    """Names of instances and the words above need no escapes."""
    return "{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "}"


def write(path: str, content: str) -> None:
    """Put the metrics where a collector finds them: whole, by a rename; raises SockwakeError."""
    directory = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(directory):
        raise SockwakeError(
            f"there is no directory {directory}", "apt install prometheus-node-exporter makes its"
        )
    files.replace(os.path.abspath(path), 0o644, content)
