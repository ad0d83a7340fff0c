"""sockwake status: all facts of one instance."""

from contextlib import suppress

from sockwake.admin.change import runtimes
from sockwake.admin.show import ls
from sockwake.admin.show.facts import address, last_wake, more_addresses, slow, units
from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.engine.api import Engine, EngineError
from sockwake.lifecycle import server_log, wakes
from sockwake.postgres import adoption, preloaded, tls
from sockwake.system import files, ss

_PATIENCE = 10  # seconds for compose


def of(instance: Instance, settings: Settings) -> dict[str, object]:
    """The row of sockwake ls, and more.

    "runtime_reason": why an engine wakes it, null when none does.

    "killed": a sentence, null unless its last sleep ended in SIGKILL.

    "dropped": packets since the port was opened. "last_wake_seconds": null without a wake since the
    machine was started. "certificate_expires": null without a certificate that can be read.
    """
    from sockwake.lifecycle import needs_engine  # late: it takes 3 ms

    took = last_wake(instance)
    return (
        ls.row(instance, settings)
        | {
            "address": address(instance, settings),
            "dropped": ss.dropped(settings.places) if settings.allow and not instance.root else 0,
            "certificate_expires": tls.expiry(instance.tls_certificate) if settings.tls else None,
            "check": settings.check,
            "check_every_seconds": settings.check_every if settings.has_check else None,
            "last_wake_seconds": took,
            "slow": slow(took, settings),
            "runtime_reason": needs_engine.told(instance, settings, patience=_PATIENCE) or None,
            "killed": files.text_of(instance.killed_file).strip() or None,
            "collation_changed": _collation_changed(instance, settings),
            "preloaded": _preloaded(instance, settings),
            **wakes.facts(wakes.in_the_last_hour(instance)),
            "start_timeout_seconds": settings.start_timeout,
            "config": instance.etc,
            "units": units(instance, settings),
        }
        | _of_project(instance, settings)
    )


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


def sentences(facts: dict[str, object], instance: Instance, settings: Settings) -> str:
    """The facts as text, one on a line."""
    clients = facts["clients"]
    took = facts["last_wake_seconds"]
    plural = "" if clients == 1 else "s"
    dropped = f"({facts['dropped']} packets from others dropped)"
    lines = [f"{instance.name} is {facts['state']}, with {clients} client{plural}."]
    shown = {
        "address": ", ".join([str(facts["address"]), *more_addresses(settings)]),
        "allow": f"{', '.join(settings.allow)} {dropped}" if settings.allow else "",
        "kind": f"{settings.kind} {settings.version}".strip(),
        "image": facts["image"],
        "runtime": runtimes.words(facts),
        "project": settings.project,
        "profiles": ", ".join(settings.profiles),
        "services": _services(facts.get("services")),
        "data": facts["data"],
        "idle": f"{facts['idle']}, check {settings.check}",
        "last wake": f"{took} s" if took is not None else "none since the machine was started",
        "wakes": wakes.sentence(wakes.in_the_last_hour(instance)),
        "certificate": tls.validity(instance.tls_certificate) if settings.tls else "",
        "note": facts["slow"],
        "last sleep": facts["killed"],
        "warning": facts.get("warning"),
        "collation": _collation(facts["collation_changed"]) if settings.has_cluster else "",
        "jobs": _jobs(facts["preloaded"]),
        "failure": facts.get("error"),
        "config": instance.etc,
        "units": " ".join(units(instance, settings)),
        "log": scope.command("journalctl", f"-u {instance.backend_unit}"),
    }
    return "\n".join(lines + [f"  {name:<12}{value}" for name, value in shown.items() if value])


def _services(states: object) -> str:
    """The services of a project, each with its state."""
    if not isinstance(states, dict):
        return ""
    shown = ", ".join(f"{name} ({state})" for name, state in sorted(states.items()))
    return shown or "none made: the next wake makes them"


def _collation_changed(instance: Instance, settings: Settings) -> list[str]:
    """The databases that the server has warned of in this run, or the last one."""
    if settings.has_cluster and not settings.needs_engine:
        return [] if instance.root else server_log.mismatched_in_last_run(instance)
    return files.text_of(instance.collation_file).splitlines()


def _collation(names: object) -> str:
    """What to do about databases that the server has warned of in this or the last wake, or ""."""
    if not isinstance(names, list) or not names:
        return ""
    listed = ", ".join(f'"{name}"' for name in names)
    return (
        f"the image sorts texts otherwise than the one before: REINDEX DATABASE and "
        f"ALTER DATABASE … REFRESH COLLATION VERSION for {listed}"
    )


def _preloaded(instance: Instance, settings: Settings) -> list[str]:
    """The libraries that its server loads at its start."""
    if not settings.has_cluster:
        return []
    configured = adoption.setting(settings.cluster, "shared_preload_libraries")
    file = instance.compose_file if settings.is_container else instance.service_file
    return preloaded.libraries(files.text_of(file), configured)


def _jobs(libraries: object) -> str:
    """A note about the jobs of preloaded libraries, or ""."""
    names = preloaded.with_jobs(libraries if isinstance(libraries, list) else [])
    listed = ", ".join(names)
    return f"those of {listed} run only while it is awake, and none wakes it" if names else ""
