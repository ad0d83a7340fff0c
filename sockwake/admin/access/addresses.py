"""Where clients find a PostgreSQL, as libpq is told: parameters, or a URI."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from urllib.parse import quote

from sockwake.config import forwarding, scope
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.errors import SockwakeError
from sockwake.postgres import password as passwords
from sockwake.postgres import tls
from sockwake.system import files

_SOCKET = "/.s.PGSQL."
LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # what a client of this machine calls them


@dataclass(frozen=True)
class Address:
    """One place where a PostgreSQL listens, with the user and the database of the instance.

    host: an IP address, or the directory of its unix socket. sslmode, certificate: how a client
    makes sure of the server, "" without TLS and where there is nothing to compare.
    """

    host: str
    port: str
    user: str
    database: str
    sslmode: str = ""
    certificate: str = ""

    @property
    def is_unix_socket(self) -> bool:
        return self.host.startswith("/")

    def uri(self, password: str = "") -> str:
        """The address as a URI, with a password or without one; everything in it is encoded."""
        login = quote(self.user, safe="") + (f":{quote(password, safe='')}" if password else "")
        host = f"[{self.host}]" if ":" in self.host else self.host
        at = "" if self.is_unix_socket else f"{host}:{self.port}"
        asked = {
            "host": self.host if self.is_unix_socket else "",
            "port": self.port if self.is_unix_socket else "",
            "sslmode": self.sslmode,
            "sslrootcert": self.certificate,
        }
        query = "&".join(f"{key}={quote(value)}" for key, value in asked.items() if value)
        database = quote(self.database, safe="")
        return f"postgresql://{login}@{at}/{database}{f'?{query}' if query else ''}"

    def variables(self) -> dict[str, str]:
        """The same as libpq's environment variables, without the password."""
        made = {
            "PGHOST": self.host,
            "PGPORT": self.port,
            "PGUSER": self.user,
            "PGDATABASE": self.database,
            "PGSSLMODE": self.sslmode,
            "PGSSLROOTCERT": self.certificate,
        }
        return {key: value for key, value in made.items() if value}

    def password_line(self, password: str) -> str:
        """The line of a password file for this address alone."""
        return passwords.libpq_line(self.host, self.port, "*", self.user, password)


def addresses(instance: Instance, settings: Settings) -> Iterator[Address]:
    """Every address of a PostgreSQL, in the order of LISTEN=.

    A unix socket that libpq could not find, by its name, is left out.
    """
    for item in settings.listen:
        host, port, sslmode, certificate = LOOPBACK.get(item, item), str(settings.port), "", ""
        if item.startswith("/"):
            host, found, port = item.rpartition(_SOCKET)
            if not found or not port.isdigit():
                continue
        elif settings.tls and forwarding.is_there(instance):
            sslmode = tls.ENCRYPTED  # the certificate is that of the server that clients are led to
        elif settings.tls:
            sslmode = tls.verification(instance.tls_certificate, host)
            if sslmode != tls.ENCRYPTED:  # of a tree: where its machine has it
                certificate = instance.tls_certificate.removeprefix(instance.root)
        yield Address(host, port, settings.db_user, settings.db_name, sslmode, certificate)


def uris(instance: Instance, settings: Settings, *, with_password: bool) -> list[str]:
    """Every address as a URI: postgresql, else http where it is ready by that, tcp or unix.

    Raises SockwakeError, with with_password also for what is no PostgreSQL.
    """
    if settings.has_cluster or with_password:
        first(instance, settings)
        secret = passwords.require_password(instance) if with_password else ""
        return [each.uri(secret) for each in addresses(instance, settings)]
    scheme, end = ("http", "/") if settings.ready.startswith("http:") else ("tcp", "")
    found = []
    for item, port in settings.places:
        host = LOOPBACK.get(item, item)
        at = f"{f'[{host}]' if ':' in host else host}:{port}"
        found.append(f"unix://{item}" if item.startswith("/") else f"{scheme}://{at}{end}")
    return found


def first(instance: Instance, settings: Settings) -> Address:
    """The address that comes first; raises SockwakeError when libpq could find none."""
    return next(_found(instance, settings))


def local(instance: Instance, settings: Settings) -> Address:
    """The first address at which ALLOW= lets clients of this machine in; raises SockwakeError.

    The kernel gives a client of an address of its own machine that address, too.
    """
    for each in _found(instance, settings):
        if each.is_unix_socket or is_allowed(each.host, settings):
            return each
    raise SockwakeError(
        f"instance '{instance.name}' takes no clients of this machine, "
        f"only those of {', '.join(settings.allow)}",
        "add its address to ALLOW=; instance.env(5) says how that takes effect",
    )


def renew_password_line(instance: Instance, settings: Settings, password: str) -> None:
    """Have the file of `sockwake env`, which a shell knows by its name, say another password."""
    if os.path.exists(instance.password_line):
        line = local(instance, settings).password_line(password)
        files.replace_volatile(instance.password_line, line, 0o600)


def is_allowed(host: str, settings: Settings) -> bool:
    """Whether ALLOW= lets a client in that has this IP address."""
    networks = (ip_network(each, strict=False) for each in settings.allow)
    return not settings.allow or any(ip_address(host) in each for each in networks)


def _found(instance: Instance, settings: Settings) -> Iterator[Address]:
    """Every address, of which there is one at least; raises SockwakeError."""
    require_postgres(instance, settings)
    found = list(addresses(instance, settings))
    if not found:
        raise SockwakeError(
            f"libpq finds no socket at {', '.join(settings.listen)}",
            "LISTEN= of a PostgreSQL is as in /run/shop/.s.PGSQL.5432",
        )
    yield from found


def require_postgres(instance: Instance, settings: Settings) -> None:
    """Raise SockwakeError unless the instance is a PostgreSQL."""
    if not settings.has_cluster:
        raise SockwakeError(
            f"instance '{instance.name}' is no PostgreSQL, but of kind '{settings.kind}'",
            f"{scope.command('sockwake env', instance.name)} says where it is",
        )
