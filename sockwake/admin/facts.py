"""What is known of an instance: its units, its address, its last wake."""

from urllib.parse import quote

from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.system import files

_PATIENCE_DATABASE = 5  # seconds
_SLOW = "/usr/share/doc/sockwake/slow-starters.md"
_PATIENCE_HTTP = 30


def units(instance: Instance, settings: Settings) -> list[str]:
    """Its systemd units, from the client on."""
    return [
        instance.socket_unit,
        *([] if settings.is_native else [instance.proxy_unit]),
        instance.backend_unit,
    ]


def last_failure(instance: Instance) -> str:
    """Why the last wake failed, and what was said about it, or ""."""
    texts = [
        files.text_of(path).strip() for path in (instance.failure_file, instance.failure_details)
    ]
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
    return (
        f"a wake takes {seconds:.0f} s, longer than many clients wait ({patience} s): see {_SLOW}"
    )


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
