"""sockwake status: all facts of one instance."""

from sockwake.admin import ls
from sockwake.admin.facts import address, last_wake, slow, units
from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.postgres import adoption, preloaded, tls
from sockwake.system import files, ss


def of(instance: Instance, settings: Settings) -> dict[str, object]:
    """The row of sockwake ls, and more.

    "dropped": packets since the port was opened. "last_wake_seconds": null without a wake since the
    machine was started. "certificate_expires": null without a certificate that can be read.
    """
    took = last_wake(instance)
    return ls.row(instance, settings) | {
        "address": address(instance, settings),
        "dropped": ss.dropped(settings.places) if settings.allow and not instance.root else 0,
        "certificate_expires": tls.expiry(instance.tls_certificate) if settings.tls else None,
        "check": settings.check,
        "check_every_seconds": settings.check_every if settings.has_check else None,
        "last_wake_seconds": took,
        "slow": slow(took, settings),
        "collation_changed": files.text_of(instance.collation_file).splitlines(),
        "preloaded": _preloaded(instance, settings),
        "start_timeout_seconds": settings.start_timeout,
        "config": instance.etc,
        "units": units(instance, settings),
    }


def sentences(facts: dict[str, object], instance: Instance, settings: Settings) -> str:
    """The facts as text, one on a line."""
    clients = facts["clients"]
    took = facts["last_wake_seconds"]
    plural = "" if clients == 1 else "s"
    dropped = f"({facts['dropped']} packets from others dropped)"
    lines = [f"{instance.name} is {facts['state']}, with {clients} client{plural}."]
    shown = {
        "address": facts["address"],
        "allow": f"{', '.join(settings.allow)} {dropped}" if settings.allow else "",
        "kind": f"{settings.kind} {settings.version}".strip(),
        "image": facts["image"],
        "data": facts["data"],
        "idle": f"{facts['idle']}, check {settings.check}",
        "last wake": f"{took} s" if took is not None else "none since the machine was started",
        "certificate": tls.validity(instance.tls_certificate) if settings.tls else "",
        "note": facts["slow"],
        "warning": facts.get("warning"),
        "collation": _collation(instance) if settings.has_cluster else "",
        "jobs": _jobs(instance, settings),
        "failure": facts.get("error"),
        "config": instance.etc,
        "units": " ".join(units(instance, settings)),
        "log": scope.command("journalctl", f"-u {instance.backend_unit}"),
    }
    return "\n".join(lines + [f"  {name:<12}{value}" for name, value in shown.items() if value])


def _collation(instance: Instance) -> str:
    """What to do about databases that the server has warned of in this or the last wake, or ""."""
    if not (names := files.text_of(instance.collation_file).splitlines()):
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
    return preloaded.libraries(files.text_of(instance.compose_file), configured)


def _jobs(instance: Instance, settings: Settings) -> str:
    """A note about the jobs of such libraries, or ""."""
    names = preloaded.with_jobs(_preloaded(instance, settings))
    listed = ", ".join(names)
    return f"those of {listed} run only while it is awake, and none wakes it" if names else ""
