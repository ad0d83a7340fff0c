"""What sockwake-new made, for people and for --json."""

from urllib.parse import quote

from sockwake import exposure, files, inventory, scope, timespan
from sockwake.instance import Instance
from sockwake.request import Request
from sockwake.settings import Settings

_PATIENCE_DATABASE = 5  # seconds
_SLOW = "/usr/share/doc/sockwake/slow-starters.md"
_PATIENCE_HTTP = 30


def describe(request: Request, instance: Instance) -> dict[str, object]:
    """The facts, as --json has them; "password_file" is null when nobody here knows the password.

    "warning" is there when there is something to warn of.
    """
    settings = instance.settings()
    return {
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
        "first_wake_seconds": last_wake(instance),
        "config": instance.etc,
        "units": units(instance, settings),
    } | ({"warning": warning} if (warning := exposure.warning(settings)) else {})


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


def units(instance: Instance, settings: Settings) -> list[str]:
    """Its systemd units, from the client on."""
    return [instance.socket_unit, *([] if settings.is_native else [instance.proxy_unit]), instance.backend_unit]


def last_failure(instance: Instance) -> str:
    """Why the last wake failed, and what was said about it, or ""."""
    texts = [files.text_of(path).strip() for path in (instance.failure_file, instance.failure_details)]
    return ": ".join(filter(None, texts)) if texts[0] else ""


def last_wake(instance: Instance) -> float | None:
    """How many seconds the last wake took; None when nothing is known."""
    try:
        return float(files.text_of(instance.wake_file))
    except ValueError:
        return None


def slow(seconds: float | None, settings: Settings) -> str:
    """What a wake this long means for clients that do not wait for ever, or "".

    libpq waits for ever unless told otherwise (connect_timeout). PostgreSQL's JDBC driver waits five seconds to hear whether
    the server speaks TLS (sslResponseTimeout). What stands between HTTP clients and servers commonly gives up after 30 or 60.
    """
    patience = _PATIENCE_DATABASE if settings.has_cluster else _PATIENCE_HTTP
    if seconds is None or seconds < patience:
        return ""
    return f"a wake takes {seconds:.0f} s, longer than many clients wait ({patience} s): see {_SLOW}"


def address(instance: Instance, settings: Settings) -> str:
    """Where clients find it: a DSN, a URL, an address or a path."""
    if settings.has_cluster:
        return dsn(instance, settings)
    first = settings.listen[0]
    if first.startswith("/"):
        return first
    http = "http://" if settings.ready.startswith("http:") else ""
    return f"{http}{_host(first)}:{settings.port}{'/' if http else ''}"


def _host(listen: str) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen, listen)
    return f"[{host}]" if ":" in host else host


def dsn(instance: Instance, settings: Settings) -> str:
    """How to connect, without the password: the first address, or the first socket's directory."""
    user, database = quote(settings.db_user, safe=""), quote(settings.db_name, safe="")
    first = settings.listen[0]
    if first.startswith("/"):
        directory, _, number = first.rpartition("/.s.PGSQL.")
        return f"postgresql://{user}@/{database}?host={quote(directory)}&port={number}"
    verify = f"?sslmode=verify-full&sslrootcert={instance.tls_certificate}" if settings.tls else ""
    return f"postgresql://{user}@{_host(first)}:{settings.port}/{database}{verify}"


def sentences(request: Request, made: Instance, facts: dict[str, object], *, enabled: bool) -> str:
    """The same for people, with the next command to type."""
    lines = [f"Made instance '{made.name}' in {made.etc}.", f"  connect   {facts['dsn']}"]
    settings = made.settings()
    if not settings.has_cluster:
        pass
    elif not facts["password_file"]:
        lines.append("  password  the adopted cluster's own")
    elif request.root:
        lines.append(f"  password  made by the first wake, in {made.password_file.removeprefix(request.root)}")
    else:
        lines.append(f"  password  in {made.password_file}")
    if facts["data"]:
        lines.append(f"  data      {facts['data']}")
    if beside := inventory.others(made.etc):
        lines.append(f"  beside    {inventory.listed([f'{made.etc}/{name}' for name in beside])}")
    if note := slow(last_wake(made), settings):
        lines.append(f"  note      {note}")
    if scope.is_user() and not scope.lingers():
        lines.append(
            "  note      it sleeps and wakes while you are logged in; at any time after: loginctl enable-linger"
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
