"""Who reaches an instance: warnings, and whether two can have the same place."""

from ipaddress import ip_address

from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.postgres import tls


def warning(settings: Settings) -> str:
    """What other machines can do to an instance without TLS or --allow, or ""."""
    beyond = ", ".join(item for item in settings.listen if _is_beyond_loopback(item))
    is_guarded = settings.tls or settings.allow
    if not beyond or is_guarded:
        return ""
    return f"it listens on {beyond}: every machine that reaches it {_what_it_can(settings)}"


def _what_it_can(settings: Settings) -> str:
    """What a client of another machine can do, by where the server sees it come from."""
    if settings.has_cluster:
        return "can try passwords, and read what is not encrypted (--tls, --allow)"
    if settings.is_native:
        return "can use it (--allow)"
    way_out = "(--allow, or a password in the server)"
    if settings.is_project:
        return f"can use it, and the servers see their engine's gateway as the client {way_out}"
    return f"can use it, and the server takes it for a client on localhost {way_out}"


def aloud(instance: Instance, settings: Settings, more: list[str]) -> str:
    """The warnings that sockwake-new prints, one line each, behind more of them."""
    found = [*more, warning(settings)]
    if settings.tls and tls.has_expired(instance.tls_certificate):
        found.append(
            f"{instance.tls_certificate} has expired: a client that verifies it will not connect"
        )
    return "".join(f"sockwake: warning: {sentence}\n" for sentence in found if sentence)


def _is_beyond_loopback(item: str) -> bool:
    """Whether item is an address that other machines may reach; systemd opens no invalid one."""
    try:
        return not item.startswith("/") and not ip_address(item).is_loopback
    except ValueError:
        return False


def clash(one: tuple[str, int], other: tuple[str, int]) -> bool:
    """Whether only one program can listen at these two: (address or path, port)."""
    if one == other or one[1] != other[1]:
        return one == other
    try:
        first, second = ip_address(one[0]), ip_address(other[0])
    except ValueError:  # a path
        return False
    is_for_all = first.is_unspecified or second.is_unspecified
    return first.version == second.version and (first == second or is_for_all)
