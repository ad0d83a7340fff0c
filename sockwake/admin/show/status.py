"""sockwake status: all facts of one instance. It wakes none, and keeps none awake."""

import os
from contextlib import suppress

from sockwake.admin.show import ls, sizes, times, upkeep
from sockwake.admin.show.facts import engine_why, slow, units
from sockwake.clients import visitors
from sockwake.config import forwarding
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.engine.api import Engine, EngineError
from sockwake.errors import SockwakeError
from sockwake.lifecycle import expiring, holds, wakes
from sockwake.postgres import adoption, preloaded, sessions, tls
from sockwake.system import files, safe_path, ss, systemctl

_PATIENCE = 10  # seconds for compose


def of(instance: Instance, settings: Settings) -> dict[str, object]:
    """The row of sockwake ls, and more.

    "runtime_reason": why an engine wakes it, null when none does.

    "engine_why": why it has its engine, null where there was no choice.

    "killed": a sentence, null unless its last sleep ended in SIGKILL.

    "dropped": packets since the port was opened. "last_wake_seconds": null without a wake since the
    machine was started. "certificate_expires": null without a certificate that can be read.
    """
    from sockwake.lifecycle import needs_engine  # late: it takes 3 ms

    safe_path.require_in_tree(instance.root, settings.data)
    row = ls.row(instance, settings)
    took, phases = wakes.duration(instance)
    return (
        row
        | _of_now(instance, settings, row)
        | {
            "dropped": ss.dropped(settings.places) if settings.allow and not instance.root else 0,
            "certificate_expires": tls.expiry(instance.tls_certificate) if settings.tls else None,
            "check": settings.check,
            "check_every_seconds": settings.check_every if settings.has_check else None,
            "last_wake_seconds": took,
            "last_wake_phases": phases,
            **_of_last_wake(instance),
            "slow": slow(took, settings),
            "runtime_reason": needs_engine.told(instance, settings, patience=_PATIENCE) or None,
            "engine_why": engine_why(instance, settings),
            "killed": files.text_of(instance.killed_file).strip() or None,
            "collation_changed": upkeep.collation_changed(instance, settings),
            "preloaded": _preloaded(instance, settings),
            **wakes.facts(wakes.in_the_last_hour(instance), wakes.returns(instance)),
            "start_timeout_seconds": settings.start_timeout,
            "data_bytes": sizes.of_data(settings),
            **_of_first_wake(instance, settings),
            "image_bytes": sizes.of_image(instance, settings),
            "limits": sizes.limits(instance, settings),
            **upkeep.facts(instance, settings, row),
            "expires": expiring.when(instance),
            "forward": _forward(instance),
            "upgraded": _upgraded(instance),
            "config": instance.etc,
            "units": units(instance, settings),
        }
        | _of_project(instance, settings)
    )


def _of_now(instance: Instance, settings: Settings, row: dict[str, object]) -> dict[str, object]:
    """Who keeps it awake: connections, holds and, of a PostgreSQL that is awake, its sessions.

    "sessions": null when it sleeps, is no PostgreSQL, or cannot be asked: "sessions_error".
    """
    if instance.root:
        return {"connections": [], "holds": [], "sessions": None}
    clients = visitors.each(settings)
    found: dict[str, object] = {
        "connections": [each.facts() for each in clients],
        "holds": [each.facts() for each in holds.holds(instance)],
        "sessions": None,
    }
    if settings.has_cluster and row["state"] == ls.AWAKE:
        try:
            found["sessions"] = asked = sessions.ask(instance, settings)
            found["connections"] = _with_sessions(instance, clients, asked)
        except SockwakeError as error:
            found["sessions_error"] = error.whole
    return found


def _with_sessions(
    instance: Instance, clients: list[visitors.Visitor], asked: list[dict[str, object]]
) -> list[dict[str, object]]:
    """The facts of each connection, with the "session" that is behind it: its pid, or null."""
    from sockwake.clients import behind

    proxy = systemctl.main_pid(instance.proxy_unit) if clients else 0
    known = behind.sessions((each.inode for each in clients if each.inode), proxy)
    told = []
    for each in clients:
        key, value = known.get(each.inode, ("pid", 0))
        pids = [session["pid"] for session in asked if session[key] == value]
        told.append(each.facts() | {"session": pids[0] if len(pids) == 1 else None})
    return told


def _upgraded(instance: Instance) -> dict[str, object] | None:
    """Of which version it keeps a cluster beside the one that it serves; None for most."""
    if not os.path.exists(f"{instance.etc}/upgraded"):
        return None
    from sockwake.admin.upkeep import upgraded  # late: few are

    try:
        return upgraded.facts(instance)
    except SockwakeError:
        return None


def _forward(instance: Instance) -> dict[str, object] | None:
    """Where its clients are led, and what each server there shows; None for the instance itself."""
    from sockwake.admin.leave import forwarded  # late: few are

    try:
        there = forwarding.of(instance)
    except SockwakeError:  # for sockwake doctor
        return None
    return forwarded.facts(there) if there else None


def _of_last_wake(instance: Instance) -> dict[str, object]:
    """Who woke it last, and when; null when it is not known."""
    last = next(reversed(wakes.known(instance)), None)
    return {
        "last_woken_by": last.client if last else None,
        "last_woken_at": times.moment(last.at) if last else None,
    }


def _of_first_wake(instance: Instance, settings: Settings) -> dict[str, object]:
    """Whether its data are yet to be made, and whether a reboot empties them."""
    from sockwake.lifecycle import first_wake  # late: ls needs nothing of it

    is_here = bool(settings.data) and not instance.root
    return {
        "data_missing": bool(settings.data) and os.path.exists(instance.uninitialised_file),
        "data_in_memory": is_here and first_wake.is_in_memory(settings.data),
    }


def _of_project(instance: Instance, settings: Settings) -> dict[str, object]:
    """The profiles of a project, and its services, null when the engine cannot be asked."""
    if not settings.is_project:
        return {}
    from sockwake.engine import belongings

    services = None
    if not instance.root:
        with suppress(EngineError):
            services = belongings.states(Engine.of(settings), instance)
    return {"profiles": list(settings.profiles), "services": services}


def _preloaded(instance: Instance, settings: Settings) -> list[str]:
    """The libraries that its server loads at its start."""
    if not settings.has_cluster:
        return []
    configured = adoption.setting(settings.cluster, "shared_preload_libraries")
    file = instance.compose_file if settings.is_container else instance.service_file
    return preloaded.libraries(files.text_of(file), configured)
