"""sockwake status as text for a terminal."""

from sockwake.admin import words
from sockwake.admin.change import runtimes
from sockwake.admin.leave import forwarded
from sockwake.admin.show import ls, table, times, upkeep
from sockwake.admin.show.facts import engine, more_addresses, units
from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.errors import shown
from sockwake.lifecycle import expiring, holds, wakes
from sockwake.postgres import preloaded, tls

Facts = dict[str, object]
_LONGEST_QUERY = 60  # characters


def text(facts: Facts, instance: Instance, settings: Settings) -> str:
    """The facts, one on a line; what clients, programs and files of others chose is escaped."""
    clients = facts["clients"]
    plural = "" if clients == 1 else "s"
    since = f" for {table.since(facts)}" if table.since(facts) else ""
    lines = [f"{instance.name} is {facts['state']}{since}, with {clients} client{plural}."]
    told = [
        *_of_now(facts, instance),
        ("forward", forwarded.sentence(facts["forward"])),
        *_of_definition(facts, settings),
        *_of_the_past(facts, instance),
        ("backup", upkeep.backup_text(facts["backup"])),
        ("upkeep", upkeep.upkeep_text(facts["upkeep"])),
        ("upgrade", _upgrade(facts["upgraded"], instance)),
        ("expires", expiring.told(instance)),
        ("certificate", tls.validity(instance.tls_certificate) if settings.tls else ""),
        ("warning", facts.get("warning")),
        ("collation", _collation(facts["collation_changed"]) if settings.has_cluster else ""),
        ("jobs", _jobs(facts["preloaded"])),
        ("config", instance.etc),
        ("units", " ".join(units(instance, settings))),
        ("log", scope.command("journalctl", "-u", instance.backend_unit)),
    ]
    return "\n".join(lines + [f"  {name:<12}{shown(str(value))}" for name, value in told if value])


def _upgrade(upgraded: object, instance: Instance) -> str:
    """Which cluster it keeps beside the one that it serves, and the way to be rid of it."""
    if not isinstance(upgraded, dict):
        return ""
    way = scope.command("sockwake upgrade", instance.name)
    if upgraded["state"] != "done":
        return f"from {upgraded['old']} to {upgraded['new']} not finished; the same command goes on"
    return f"keeps its cluster of {upgraded['old']} ({way} --forget deletes it)"


def _of_now(facts: Facts, instance: Instance) -> list[tuple[str, object]]:
    """Why it is awake, and until when."""
    shown: list[tuple[str, object]] = []
    others = {each["pid"]: each for each in _list(facts, "sessions")}
    for client in _list(facts, "connections"):
        session = others.pop(client.get("session"), None)
        matched = f"; {_session(session)}" if session else ""
        shown.append(("client", f"{_client(client)}{matched}"))
    shown += [("session", _session(each)) for each in others.values()]
    shown.append(("sessions", facts.get("sessions_error")))
    shown += [("held by", each.sentence()) for each in holds.holds(instance)]
    if facts["state"] == ls.AWAKE and not facts["clients"]:
        shown.append(("sleeps", table.sleeps(facts)))
    return shown


def _of_definition(facts: Facts, settings: Settings) -> list[tuple[str, object]]:
    dropped = f"({facts['dropped']} packets from others dropped)"
    return [
        ("address", ", ".join([str(facts["address"]), *more_addresses(settings)])),
        ("allow", f"{', '.join(settings.allow)} {dropped}" if settings.allow else ""),
        ("kind", f"{settings.kind} {settings.version}".strip()),
        ("image", _with_size(facts["image"], facts["image_bytes"])),
        ("runtime", runtimes.words(facts)),
        ("engine", engine(facts["engine_why"], settings)),
        ("project", settings.project),
        ("profiles", ", ".join(settings.profiles)),
        ("services", _services(facts.get("services"))),
        ("data", _data(facts)),
        ("first wake", _first_wake(facts, settings)),
        ("memory", words.size(facts["memory_bytes"]) if facts["memory_bytes"] else ""),
        ("limits", _limits(facts["limits"])),
        ("idle", f"{facts['idle']}, check {settings.check}"),
    ]


def _of_the_past(facts: Facts, instance: Instance) -> list[tuple[str, object]]:
    return [
        ("last wake", _last_wake(facts)),
        ("wakes", wakes.sentence(wakes.in_the_last_hour(instance), wakes.returns(instance))),
        ("note", facts["slow"]),
        ("last sleep", facts["killed"]),
        ("failure", facts.get("error")),
    ]


def _last_wake(facts: Facts) -> str:
    took, phases = facts["last_wake_seconds"], facts["last_wake_phases"]
    if took is None:
        return "none since the machine was started"
    said = f"{took} s"
    if isinstance(phases, dict) and phases:
        said += f" ({', '.join(f'{name} {seconds:g} s' for name, seconds in phases.items())})"
    if facts["last_woken_by"]:
        said += f", by {facts['last_woken_by']}"
    moment = facts["last_woken_at"]
    return f"{said}, {times.ago(moment)} ago" if isinstance(moment, times.Moment) else said


def _client(each: Facts) -> str:
    """One connection: from where, whose, and for how long silent."""
    said = str(each["from"])
    if each["pid"]:
        said += f" ({each['program']}, process {each['pid']} of {each['user'] or 'a user'})"
    elif each["user"]:
        said += f" (a process of {each['user']})"
    silent = each["silent_seconds"]
    return f"{said}, silent for {times.span(silent)}" if isinstance(silent, float) else said


def _session(each: Facts) -> str:
    """One session of a PostgreSQL: whose, and what it does."""
    name = f" by {each['application']}" if each["application"] else ""
    said = f"{each['user']} in {each['database']}{name}: {each['state'] or 'starting'}"
    if isinstance(each["state_seconds"], int):
        said += f" for {times.span(each['state_seconds'])}"
    transaction = each["transaction_seconds"]
    if isinstance(transaction, int) and each["state"] != "active":
        said += f", its transaction is open for {times.span(transaction)}"
    query = " ".join(str(each["query"] or "").split())
    short = query if len(query) <= _LONGEST_QUERY else f"{query[:_LONGEST_QUERY]}…"
    return f"{said}: {short}" if short else said


def _with_size(value: object, count: object) -> str:
    size = words.size(count)
    return f"{value} ({size})" if value and size else str(value or "")


def _data(facts: Facts) -> str:
    """Where the data are, how many, and whether a reboot empties them."""
    said = _with_size(facts["data"], facts["data_bytes"])
    return f"{said}, in memory: the next boot begins anew" if facts["data_in_memory"] else said


def _first_wake(facts: Facts, settings: Settings) -> str:
    """What the next wake makes first, or ""."""
    if not facts["data_missing"]:
        return ""
    return "makes the database cluster" if settings.has_cluster else "makes the data"


def _limits(limits: object) -> str:
    if not isinstance(limits, dict):
        return ""
    shown = []
    if memory := limits.get("memory_bytes"):
        shown.append(f"{words.size(memory)} of memory")
    shown += [f"{limits[name]:g} {name}" for name in ("processors", "processes") if name in limits]
    return ", ".join(shown)


def _list(facts: Facts, key: str) -> list[Facts]:
    found = facts.get(key)
    return found if isinstance(found, list) else []


def _services(states: object) -> str:
    """The services of a project, each with its state."""
    if not isinstance(states, dict):
        return ""
    shown = ", ".join(f"{name} ({state})" for name, state in sorted(states.items()))
    return shown or "none made: the next wake makes them"


def _collation(names: object) -> str:
    """What to do about databases that the server has warned of in this or the last wake, or ""."""
    if not isinstance(names, list) or not names:
        return ""
    listed = ", ".join(f'"{name}"' for name in names)
    return (
        f"the image sorts texts otherwise than the one before: REINDEX DATABASE and "
        f"ALTER DATABASE … REFRESH COLLATION VERSION for {listed}"
    )


def _jobs(libraries: object) -> str:
    """A note about the jobs of preloaded libraries, or ""."""
    names = preloaded.with_jobs(libraries if isinstance(libraries, list) else [])
    listed = ", ".join(names)
    return f"those of {listed} run only while it is awake, and none wakes it" if names else ""
