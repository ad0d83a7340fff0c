"""sockwake env: variables that lead programs to an instance."""

import shlex
from contextlib import suppress

from sockwake.admin.access import addresses
from sockwake.admin.show import facts
from sockwake.config.endpoint import Endpoint
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.errors import UNKNOWN, USAGE, SockwakeError
from sockwake.lifecycle import runtime
from sockwake.postgres import password
from sockwake.system import files

_OF_POSTGRES = (
    *("PGHOST", "PGHOSTADDR", "PGPORT", "PGUSER", "PGDATABASE", "PGSERVICE", "PGSSLMODE"),
    *("PGSSLROOTCERT", "PGPASSFILE", "PGPASSWORD"),
)
_OF_OTHERS = ("HOST", "PORT", "SOCKET", "URL")


def variables(
    instance: Instance, settings: Settings, *, with_password: bool, service: str = "", port: int = 0
) -> dict[str, str]:
    """The variables of an instance.

    Of a PostgreSQL those of libpq: its password as PGPASSFILE, a file in /run that is written
    here, or with with_password as PGPASSWORD. Of others HOST and PORT, or SOCKET; with URL where
    they speak HTTP. Of a project those of its first port, or of that of a service, or of the one
    whose server has this port in its container.

    Raises SockwakeError, with with_password also when the password is not known.
    """
    if with_password:
        addresses.require_postgres(instance, settings)
    if service or port:
        endpoint = _endpoint(instance, settings, service, port)
        host = addresses.LOOPBACK.get(endpoint.address, endpoint.address)
        return {"HOST": host, "PORT": str(endpoint.port)}
    if settings.has_cluster:
        return _of_postgres(instance, settings, with_password=with_password)
    item = settings.listen[0]
    if item.startswith("/"):
        return {"SOCKET": item}
    found = {"HOST": addresses.LOOPBACK.get(item, item), "PORT": str(settings.port)}
    url = facts.address(instance, settings) if settings.ready.startswith("http:") else ""
    return found | ({"URL": url} if url else {})


def _endpoint(instance: Instance, settings: Settings, service: str, port: int) -> Endpoint:
    """The first port of a project that is of a service, and of a server's port; "" and 0: any."""
    if not settings.is_project:
        raise SockwakeError(
            f"instance '{instance.name}' has one port, and no services", status=USAGE
        )
    for each in settings.ports:
        if service in ("", each.service) and port in (0, each.target):
            return each
    raise SockwakeError(
        f"'{instance.name}' has no such port",
        "it has " + ", ".join(dict.fromkeys(map(_named, settings.ports))),
        UNKNOWN,
    )


def _named(endpoint: Endpoint) -> str:
    return f"{endpoint.service}:{endpoint.target}"


def others(settings: Settings, found: dict[str, str]) -> str:
    """Lines of comment for the script of a project: how its other ports are asked for."""
    named = {_named(each): each for each in settings.ports[::-1] if str(each.port) != found["PORT"]}
    return "".join(
        f"\n# {each.service}:{each.target} has port {each.port}: "
        f"--service {each.service} --port {each.target}"
        for each in reversed(named.values())
    )


def script(found: dict[str, str]) -> str:
    """Lines for a shell to evaluate, which leave nothing of another instance's set."""
    every = _OF_POSTGRES if "PGHOST" in found else _OF_OTHERS
    unset = " ".join(name for name in every if name not in found)
    lines = [f"{name}={shlex.quote(value)}" for name, value in found.items()]
    return "\n".join([f"unset {unset}", *lines, f"export {' '.join(found)}"])


def _of_postgres(instance: Instance, settings: Settings, *, with_password: bool) -> dict[str, str]:
    address = addresses.local(instance, settings)
    found = address.variables()
    if with_password:
        return found | {"PGPASSWORD": password.require_password(instance)}
    secret = ""
    with suppress(SockwakeError):  # then the program asks for it
        secret = password.find_or_make(instance)
    if not secret or instance.root:
        return found
    try:
        runtime.make_directories(instance)
        files.replace_volatile(instance.password_line, address.password_line(secret), 0o600)
    except PermissionError:  # of a user who has only been let read the password
        return found
    return found | {"PGPASSFILE": instance.password_line}
