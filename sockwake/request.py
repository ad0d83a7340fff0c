"""What sockwake-new was asked for, checked: a Request that can be carried out as it stands, or an error."""

import argparse
import ipaddress
import os
import re
from dataclasses import dataclass, field

from sockwake import timespan, tls
from sockwake.errors import USAGE, SockwakeError
from sockwake.instance import Instance, Name, check_idle, check_listen, check_port, check_value, check_version

_TLS_GUCS = {"listen_addresses": "127.0.0.1", "ssl": "on"}
_RESERVED = ("listen_addresses", "unix_socket_directories", "port", "data_directory")
_GUC = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_LONGEST_GUC_SPAN = 2**31 - 1  # ms, guc.c
_SINCE_SESSION_IDLE = 14  # the PostgreSQL that brought idle_session_timeout


@dataclass
class Request:
    """One checked sockwake-new. port None is the next free one; data "" the default directory.

    tls: certificate and key; ("", "") where the first wake makes them.
    """

    name: Name
    version: str
    root: str
    listen: list[str]
    port: int | None
    idle: str
    image: str
    db_user: str
    db_name: str
    network: str
    data: str
    gucs: dict[str, str] = field(default_factory=dict)
    tls: tuple[str, str] | None = None
    adopt: bool = False

    @property
    def final(self) -> Instance:
        return Instance(self.name, self.root)

    @property
    def data_directory(self) -> str:
        """Where the data are, as the running instance will see it."""
        return self.data or f"/var/lib/sockwake/{self.name}"

    def settings(self, port: int) -> dict[str, str]:
        """The lines of instance.env after KIND, in their order."""
        listen = ",".join(_socket_path(item, port) if item.startswith("/") else item for item in self.listen)
        values = {
            "VERSION": self.version,
            "IMAGE": self.image,
            "LISTEN": listen,
            "PORT": str(port),
            "IDLE": self.idle,
            "DB_USER": self.db_user,
            "DB_NAME": self.db_name,
        }
        return values | ({"DATA": self.data} if self.data else {}) | ({"TLS": "yes"} if self.tls else {})

    def files(self, port: int, password: str) -> dict[str, tuple[int, str]]:
        """Everything in /etc/sockwake/NAME: file name to (mode, text). No password file for password ""."""
        from sockwake.render import render  # jinja2: the errors before it should not wait for it

        major = check_version(self.version)
        values = {
            "name": self.name,
            "settings": self.settings(port),
            "gucs": self.gucs,
            "network": self.network,
            "tls": bool(self.tls),
            "mount": "/var/lib/postgresql" if major >= 18 else "/var/lib/postgresql/data",
        }
        files = {
            "instance.env": (0o644, render("postgres/instance.env", values)),
            "compose.yaml": (0o644, render("postgres/compose.yaml", values)),
        }
        if password:
            files["password"] = (0o600, password)
        if self.tls and self.tls[0]:
            files |= {"server.crt": (0o644, self.tls[0]), "server.key": (0o600, self.tls[1])}
        if not self.adopt:
            files["uninitialised"] = (0o644, "the first wake makes the cluster\n")
        return files


def decide(arguments: argparse.Namespace) -> Request:
    """Check every option; raises SockwakeError before anything has been touched."""
    if not arguments.version:
        raise SockwakeError("which PostgreSQL? --version is missing", "sockwake-new NAME --version 18", USAGE)
    major = check_version(arguments.version)
    name = Name(arguments.name)
    root = checked_root(arguments.root)
    idle = arguments.idle
    check_idle(idle)
    data = _data(arguments.data)
    listen = [_listen(item) for item in dict.fromkeys(arguments.listen or ["127.0.0.1"])]
    pair = _tls(arguments, listen)
    image = f"postgres:{arguments.version}" if arguments.image is None else arguments.image
    return Request(
        name=name,
        version=arguments.version,
        root=root,
        idle=" ".join(idle.split()),
        data=data,
        listen=listen,
        port=None if arguments.port is None else check_port(arguments.port),
        image=_word(image, "image", r"[A-Za-z0-9][A-Za-z0-9._/:@-]*"),
        db_user=_identifier(arguments.db_user, "--db-user"),
        db_name=_identifier(arguments.db_user if arguments.db_name is None else arguments.db_name, "--db-name"),
        network=_word(arguments.network, "network", r"[a-zA-Z0-9][a-zA-Z0-9_.-]*"),
        gucs=_gucs(arguments.set or [], arguments.session_idle, major) | (_TLS_GUCS if pair else {}),
        tls=pair,
    )


def checked_root(path: str | None) -> str:
    """The system tree to work on, "" for the running system. An empty path is a variable somebody forgot to set."""
    if path is None:
        return ""
    if not os.path.isdir(path):
        raise SockwakeError(f"there is no directory '{path}'", status=USAGE)
    return os.path.realpath(path).rstrip("/")


def _data(path: str | None) -> str:
    if path is None:
        return ""
    check_value(path, "--data")
    if (
        not path.startswith("/")
        or ":" in path
        or os.path.normpath(path) in ("/", "/etc", "/usr", "/var", "/var/lib", "/home")
    ):
        raise SockwakeError(f"data directory '{path}' is not an absolute path of its own", status=USAGE)
    return os.path.normpath(path)


def _listen(item: str) -> str:
    check_listen(item)
    if item.startswith("/"):
        check_listen(_socket_path(item, 65535))
    else:
        try:
            ipaddress.ip_address(item)
        except ValueError:
            raise SockwakeError(f"'{item}' is not an IP address", "leave out --listen for 127.0.0.1", USAGE) from None
    return item


def _socket_path(path: str, port: int) -> str:
    """libpq is told a directory and a port, and looks for this name in it."""
    return path if "/.s.PGSQL." in path else f"{path.rstrip('/')}/.s.PGSQL.{port}"


def _word(text: str, what: str, pattern: str) -> str:
    if not re.fullmatch(pattern, text):
        raise SockwakeError(f"{what} '{text}' is not valid", status=USAGE)
    return text


def _identifier(text: str, option: str) -> str:
    check_value(text, f"the value of {option}")
    if not text or len(text.encode()) > 63:
        raise SockwakeError(f"the value of {option} is empty or longer than PostgreSQL's 63 bytes", status=USAGE)
    return text


def _tls(arguments: argparse.Namespace, listen: list[str]) -> tuple[str, str] | None:
    """Certificate and key, as asked for; a tree gets none of its own making: its machines each make theirs."""
    if (arguments.tls_cert is None) != (arguments.tls_key is None):
        raise SockwakeError("--tls-cert and --tls-key belong together", "--tls alone makes a certificate", USAGE)
    if not arguments.tls and arguments.tls_cert is None:
        return None
    if arguments.network == "host":
        raise SockwakeError("TLS needs a network namespace of the container's own", "leave out --network host", USAGE)
    if arguments.tls_cert is not None:
        return tls.read_pair(arguments.tls_cert, arguments.tls_key)
    return ("", "") if arguments.root else tls.self_signed(listen)


def _gucs(assignments: list[str], session_idle: str | None, major: int) -> dict[str, str]:
    gucs = {"listen_addresses": ""}
    seconds = timespan.parse("15min" if session_idle is None else session_idle)
    if major >= _SINCE_SESSION_IDLE and 0 < seconds < timespan.INFINITY:
        if seconds * 1000 > _LONGEST_GUC_SPAN:
            raise SockwakeError(f"session idle time '{session_idle}' is longer than 24 days", "0 is never", USAGE)
        gucs["idle_session_timeout"] = f"{max(1, round(seconds * 1000))}"
    elif session_idle is not None and major < _SINCE_SESSION_IDLE:
        raise SockwakeError(f"PostgreSQL {major} has no idle_session_timeout", "leave out --session-idle", USAGE)
    for assignment in assignments:
        guc, equals, value = assignment.partition("=")
        if not equals or not _GUC.fullmatch(guc) or not value.isprintable():
            raise SockwakeError(f"'{assignment}' is not GUC=VALUE", "as in --set work_mem=64MB", USAGE)
        if guc.lower() in _RESERVED:
            raise SockwakeError(f"'{guc}' is set by sockwake", "leave it out", USAGE)
        gucs[guc] = value
    return gucs
