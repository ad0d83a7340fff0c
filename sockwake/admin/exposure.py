"""Warnings: an instance that other machines reach unprotected, a certificate that has expired."""

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
    what = (
        "can try passwords, and read what is not encrypted (--tls, --allow)"
        if settings.has_cluster
        else "can use it (--allow)"
    )
    return f"it listens on {beyond}: every machine that reaches it {what}"


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
