"""The report of sockwake-new: facts for --json, sentences for the administrator."""

from sockwake.admin import inventory
from sockwake.admin.make.request import Request
from sockwake.admin.show import exposure
from sockwake.admin.show.facts import (
    address,
    engine,
    engine_why,
    more_addresses,
    runtime,
    slow,
    units,
)
from sockwake.admin.words import listed
from sockwake.config import scope, timespan
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.kinds.table import NONE
from sockwake.lifecycle import wakes
from sockwake.system import systemctl


def describe(request: Request, instance: Instance, settings: Settings) -> dict[str, object]:
    """The facts of an instance that was made, as --json prints them.

    "password_file" is null when the password is not known here; "warning" may be missing.
    """
    return (
        {
            "name": instance.name,
            "kind": settings.kind,
            "version": settings.version,
            "image": settings.image,
            "listen": list(settings.listen),
            "port": settings.port,
            "allow": list(settings.allow),
            "idle_seconds": settings.idle if settings.idle != timespan.INFINITY else None,
            "dsn": address(instance, settings),
            "password_file": _password_file(request, instance),
            "adopted": request.adopt,
            "data": settings.data,
            "tls": settings.tls,
            **runtime(instance, settings),
            "engine_why": engine_why(instance, settings),
            "first_wake_seconds": wakes.duration(instance)[0],
            "config": instance.etc,
            "units": units(instance, settings),
        }
        | _of_project(settings)
        | ({"warning": warning} if (warning := exposure.warning(settings)) else {})
    )


def _of_project(settings: Settings) -> dict[str, object]:
    if not settings.is_project:
        return {}
    return {"project": settings.project, "ports": [str(port) for port in settings.ports]}


def _has_password(instance: Instance) -> bool:
    try:
        with open(instance.password_file, encoding="utf-8") as file:
            return bool(file.read().strip())
    except FileNotFoundError:  # in a tree
        return False


def _password_file(request: Request, instance: Instance) -> str | None:
    if not request.has_cluster or (request.adopt and not _has_password(instance)):
        return None
    return instance.password_file


def sentences(
    request: Request, made: Instance, settings: Settings, facts: dict[str, object], *, enabled: bool
) -> str:
    """The report as text, with the next command to type."""
    lines = [f"Made instance '{made.name}' in {made.etc}.", f"  connect   {facts['dsn']}"]
    lines += [f"            {more}" for more in more_addresses(settings)]
    if not settings.has_cluster:
        pass
    elif not facts["password_file"]:
        lines.append("  password  the adopted cluster's own")
    elif request.root and request.password:
        lines.append(f"  password  in {made.password_file}, the same on every machine")
    elif request.root:
        path = made.password_file.removeprefix(request.root)
        lines.append(f"  password  made by the first wake, in {path}")
    else:
        lines.append(f"  password  in {made.password_file}")
    if facts["data"]:
        lines.append(f"  data      {facts['data']}")
    if chosen := engine(facts["engine_why"], settings):
        lines.append(f"  engine    {chosen}")
    if settings.is_bundled and not settings.has_cluster and request.values["network"] == NONE:
        lines.append("  network   nothing but its port; --network bridge lets it reach others")
    if beside := inventory.others(made.etc):
        lines.append(f"  beside    {listed([f'{made.etc}/{name}' for name in beside])}")
    if note := slow(wakes.duration(made)[0], settings):
        lines.append(f"  note      {note}")
    if scope.is_user() and not systemctl.lingers():
        lines.append(
            "  note      it sleeps and wakes while you are logged in; "
            "at any time after: loginctl enable-linger"
        )
    if enabled:
        lines.append(
            "Its port will be open after the next boot."
            if request.root
            else "Its port is open; the first client wakes it."
        )
    else:
        lines.append(f"Next:\n  {request.enabling()}")
    return "\n".join(lines)
