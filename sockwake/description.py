"""What sockwake-new made, for people and for --json."""

from ipaddress import ip_address
from urllib.parse import quote

from sockwake import timespan
from sockwake.instance import Instance, Settings
from sockwake.request import Request


def describe(request: Request, instance: Instance) -> dict[str, object]:
    """The facts, as --json has them; "password_file" is null when nobody here knows the password."""
    settings = instance.settings()
    return {
        "name": instance.name,
        "kind": settings.kind,
        "version": settings.version,
        "image": settings.image,
        "listen": list(settings.listen),
        "port": settings.port,
        "idle_seconds": settings.idle if settings.idle != timespan.INFINITY else None,
        "dsn": dsn(instance, settings),
        "password_file": None if request.adopt and not _has_password(instance) else instance.password_file,
        "adopted": request.adopt,
        "data": settings.data,
        "tls": settings.tls,
        "config": instance.etc,
        "units": [instance.socket_unit, instance.proxy_unit, instance.backend_unit],
    }


def _has_password(instance: Instance) -> bool:
    try:
        with open(instance.password_file, encoding="utf-8") as file:
            return bool(file.read().strip())
    except FileNotFoundError:  # in a tree
        return False


def dsn(instance: Instance, settings: Settings) -> str:
    """How to connect, without the password: the first address, or the first socket's directory."""
    user, database = quote(settings.db_user, safe=""), quote(settings.db_name, safe="")
    first = settings.listen[0]
    if first.startswith("/"):
        directory, _, number = first.rpartition("/.s.PGSQL.")
        return f"postgresql://{user}@/{database}?host={quote(directory)}&port={number}"
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(first, first)
    host = f"[{host}]" if ":" in host else host
    verify = f"?sslmode=verify-full&sslrootcert={instance.tls_certificate}" if settings.tls else ""
    return f"postgresql://{user}@{host}:{settings.port}/{database}{verify}"


def sentences(request: Request, made: Instance, facts: dict[str, object], *, enabled: bool) -> str:
    """The same for people, with the next command to type."""
    lines = [f"Made instance '{made.name}' in {made.etc}.", f"  connect   {facts['dsn']}"]
    if not facts["password_file"]:
        lines.append("  password  the adopted cluster's own")
    elif request.root:
        lines.append(f"  password  made by the first wake, in {made.password_file.removeprefix(request.root)}")
    else:
        lines.append(f"  password  in {made.password_file}")
    lines.append(f"  data      {facts['data']}")
    if open_to := [address for address in request.listen if _is_beyond_loopback(address)]:
        unencrypted = "" if request.tls else ", and read what is not encrypted (--tls)"
        lines.append(f"  note      {', '.join(open_to)}: others can try passwords{unencrypted}")
    if enabled:
        lines.append(
            "Its port will be open after the next boot."
            if request.root
            else "Its port is open; the first client wakes it."
        )
    else:
        lines.append(
            f"Next:\n  systemctl {f'--root={request.root} enable' if request.root else 'enable --now'} {made.socket_unit}"
        )
    return "\n".join(lines)


def _is_beyond_loopback(address: str) -> bool:
    return not address.startswith("/") and not ip_address(address).is_loopback
