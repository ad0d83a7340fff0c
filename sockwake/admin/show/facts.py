"""Facts of an instance: its units, its address, its last wake."""

from sockwake.admin import inventory
from sockwake.admin.access import addresses
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.kinds.table import CRUN, ENGINE
from sockwake.oci import bundle
from sockwake.system import files

_PATIENCE_DATABASE = 5  # seconds
_SLOW = "/usr/share/doc/sockwake/slow-starters.md"
_PATIENCE_HTTP = 30


def units(instance: Instance, settings: Settings) -> list[str]:
    """The systemd units of an instance, in the order in which a client reaches them."""
    return [
        instance.socket_unit,
        *([] if settings.is_native else [instance.proxy_unit]),
        instance.backend_unit,
    ]


def slow(seconds: float | None, settings: Settings) -> str:
    """A note when a wake takes longer than common clients wait, or "".

    libpq waits for ever by default (connect_timeout). PostgreSQL's JDBC driver waits five seconds
    for the answer to its SSLRequest (sslResponseTimeout). HTTP proxies commonly wait for 30 or 60
    seconds.
    """
    patience = _PATIENCE_DATABASE if settings.has_cluster else _PATIENCE_HTTP
    if seconds is None or seconds < patience:
        return ""
    return (
        f"a wake takes {seconds:.0f} s, longer than many clients wait ({patience} s): see {_SLOW}"
    )


def address(instance: Instance, settings: Settings) -> str:
    """The address for clients: a DSN, a URL, address and port, or a path."""
    if settings.has_cluster:
        return dsn(instance, settings)
    first = settings.listen[0]
    if first.startswith("/"):
        return first
    http = "http://" if settings.ready.startswith("http:") else ""
    return f"{http}{_host(first)}:{settings.port}{'/' if http else ''}"


def more_addresses(settings: Settings) -> list[str]:
    """Where else clients find a project: every port but the first, with its service."""
    others = {(each.port, each.service): each for each in settings.ports[::-1]}
    return [
        f"{_host(each.address)}:{each.port} ({each.service})"
        for each in reversed(others.values())
        if each.port != settings.port
    ]


def _host(listen: str) -> str:
    host = addresses.LOOPBACK.get(listen, listen)
    return f"[{host}]" if ":" in host else host


def dsn(instance: Instance, settings: Settings) -> str:
    """The DSN of the first address or unix socket, without the password."""
    found = next(addresses.addresses(instance, settings), None)
    return found.uri() if found else settings.listen[0]


def runtime(instance: Instance, settings: Settings) -> dict[str, str | None]:
    """What wakes an instance: "crun", "engine", or "systemd" for a program of the host.

    "engine": which one, else null. "image_digest": of what crun runs, null when it is not known.
    """
    known = settings.runtime if settings.runtime in (CRUN, ENGINE) else "systemd"
    return {
        "runtime": known,
        "engine": settings.engine if settings.needs_engine else None,
        "image_digest": (bundle.image_of(instance) or None) if settings.is_bundled else None,
    }


def engine_why(instance: Instance, settings: Settings) -> str | None:
    """Why an instance has its engine; None where there was no choice, or it was edited since."""
    engine, _, why = files.text_of(f"{instance.etc}/{inventory.ENGINE_NOTE}").partition(": ")
    is_told = engine == settings.engine and settings.is_container
    return why.strip() or None if is_told else None


def engine(why: object, settings: Settings) -> str:
    """The engine of an instance, for an administrator; "" without a reason. why: engine_why()."""
    of_image = "" if settings.needs_engine else " for its image"
    return f"{settings.engine}{of_image}: {why}" if why else ""
