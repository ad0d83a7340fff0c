"""What the options of sockwake-new may say: each function takes what was given and returns it checked, or raises."""

import argparse
import ipaddress
import os
import pwd
import re
import shlex

from sockwake.admin import claims
from sockwake.config import scope, timespan, values
from sockwake.config.settings import ENGINES
from sockwake.config.values import check_value
from sockwake.errors import USAGE, SockwakeError
from sockwake.kinds.table import COMPOSE, Kind
from sockwake.postgres import tls
from sockwake.system import safe_path

_GUC_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_RESERVED = ("listen_addresses", "unix_socket_directories", "port", "data_directory")
_LONGEST_GUC_SPAN = 2**31 - 1  # ms, guc.c
_SINCE_SESSION_IDLE = 14  # the PostgreSQL that brought idle_session_timeout
_SESSION_IDLE = "15min"


def data_directory(path: str) -> str:
    """An absolute path of its own."""
    check_value(path, "--data")
    if not path.startswith("/") or ":" in path:
        raise SockwakeError(
            f"data directory '{path}' is not an absolute path of its own", status=USAGE
        )
    whole = f"/{os.path.normpath(path).lstrip('/')}"  # two slashes in front mean the same here, and not to normpath()
    if claims.is_system_s(whole):
        raise SockwakeError(
            f"data directory '{path}' is a place of the system's", "choose one of its own", USAGE
        )
    return whole


def listen_item(item: str) -> str:
    """An address, or the directory or path of a unix socket."""
    values.listen(item)
    if item.startswith("/"):
        values.listen(socket_path(item, 65535))
    else:
        try:
            ipaddress.ip_address(item)
        except ValueError:
            raise SockwakeError(
                f"'{item}' is not an IP address", "leave out --listen for 127.0.0.1", USAGE
            ) from None
    return item


def network_of_clients(text: str) -> str:
    """An address or a network, as systemd takes it: "10.0.0.0/8"."""
    values.network(text)
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        raise SockwakeError(
            f"'{text}' is neither an IP address nor a network", str(error), USAGE
        ) from None
    return text


def socket_path(path: str, port: int) -> str:
    """libpq is told a directory and a port, and looks for this name in it."""
    return path if "/.s.PGSQL." in path else f"{path.rstrip('/')}/.s.PGSQL.{port}"


def word(text: str, what: str, pattern: str) -> str:
    """text that matches pattern."""
    if not re.fullmatch(pattern, text):
        raise SockwakeError(f"{what} '{text}' is not valid", status=USAGE)
    return text


def identifier(text: str, option: str) -> str:
    """A PostgreSQL identifier."""
    check_value(text, f"the value of {option}")
    if not text or len(text.encode()) > 63:
        raise SockwakeError(
            f"the value of {option} is empty or longer than PostgreSQL's 63 bytes", status=USAGE
        )
    return text


def tls_pair(
    certificate: str, key: str, listen: list[str], *, network: str, root: str
) -> tuple[str, str]:
    """Certificate and key, as asked for; a tree gets none of its own making: its machines each make theirs."""
    if network == "host":
        raise SockwakeError(
            "TLS needs a network namespace of the container's own",
            "leave out --network host",
            USAGE,
        )
    if bool(certificate) != bool(key):
        raise SockwakeError(
            "--tls-cert and --tls-key belong together", "--tls alone makes a certificate", USAGE
        )
    if certificate:
        return tls.read_pair(certificate, key)
    return ("", "") if root else tls.self_signed(listen)


def server_settings(assignments: list[str], session_idle: str, major: int) -> dict[str, str]:
    """The settings a server is started with: session_idle "" for the default."""
    gucs = {"listen_addresses": ""}
    seconds = timespan.parse(session_idle or _SESSION_IDLE)
    if major >= _SINCE_SESSION_IDLE and 0 < seconds < timespan.INFINITY:
        if seconds * 1000 > _LONGEST_GUC_SPAN:
            raise SockwakeError(
                f"session idle time '{session_idle}' is longer than 24 days", "0 is never", USAGE
            )
        gucs["idle_session_timeout"] = f"{max(1, round(seconds * 1000))}"
    elif session_idle and major < _SINCE_SESSION_IDLE:
        raise SockwakeError(
            f"PostgreSQL {major} has no idle_session_timeout", "leave out --session-idle", USAGE
        )
    for assignment in assignments:
        guc, equals, value = assignment.partition("=")
        if not equals or not _GUC_NAME.fullmatch(guc) or not value.isprintable():
            raise SockwakeError(
                f"'{assignment}' is not GUC=VALUE", "as in --set work_mem=64MB", USAGE
            )
        if guc.lower() in _RESERVED:
            raise SockwakeError(f"'{guc}' is set by sockwake", "leave it out", USAGE)
        gucs[guc] = value
    return gucs


def require_possible_for_a_user(arguments: argparse.Namespace, kind: Kind) -> None:
    """Raise SockwakeError when a user's own systemd and podman cannot do what is asked for."""
    if kind.definition != COMPOSE:
        raise SockwakeError("a user's own instance is of kind postgres or container", status=USAGE)
    if arguments.engine == "docker":
        raise SockwakeError("a user's own instance runs in podman", "leave out --engine", USAGE)
    if arguments.allow:
        raise SockwakeError(
            "a user's own systemd cannot filter addresses", "leave out --allow", USAGE
        )
    if arguments.socket_user is not None:
        raise SockwakeError(
            "the socket of a user's own instance is the user's", "leave out --socket-user", USAGE
        )


def default_network(kind: Kind) -> str:
    """The network for own connections, when none is asked for: podman has no bridge for users without root's help."""
    return "pasta" if scope.is_user() and kind.network == "bridge" else kind.network


def network(text: str) -> str:
    """The name of a container network."""
    return word(text, "network", r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")


def image(text: str) -> str:
    """The reference of an image."""
    return word(text, "image", r"[A-Za-z0-9][A-Za-z0-9._/:@-]*")


def version(text: str) -> str:
    """A version that is part of an image's tag; PostgreSQL's have to be numbers (check_version)."""
    return word(text, "version", r"[A-Za-z0-9][A-Za-z0-9._-]*")


def mount(text: str) -> str:
    """Where the data directory is in a container."""
    check_value(text, "--mount")
    if not text.startswith("/") or ":" in text or os.path.normpath(text) == "/":
        raise SockwakeError(f"'{text}' is not an absolute path in the container", status=USAGE)
    return text


def compose_file(path: str) -> str:
    """The text of a compose file."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        why = (
            (error.strerror or str(error)).lower()
            if isinstance(error, OSError)
            else "it is not UTF-8"
        )
        raise SockwakeError(f"cannot read {path}: {why}", status=USAGE) from None


def engine(text: str, *, root: str) -> str:
    """The engine asked for, or the one that is installed."""
    if text and text not in ENGINES:
        raise SockwakeError(f"engine '{text}' is not known: {', '.join(ENGINES)}", status=USAGE)
    if scope.is_user():
        return "podman"
    installed = [
        each
        for each in ("dockerd", "podman")
        if any(os.path.exists(f"{root}/usr/{d}/{each}") for d in ("bin", "sbin"))
    ]
    return text or ("podman" if installed == ["podman"] else "docker")


def user(name: str, *, root: str) -> str:
    """The name of a user there is; in a tree only a name."""
    values.user(name)
    if not root:
        try:
            pwd.getpwnam(name)
        except KeyError:
            raise SockwakeError(f"there is no user '{name}'", status=USAGE) from None
    return name


def socket_mode(text: str) -> str:
    """An octal mode, as in 0660."""
    return values.socket_mode(f"0{text}" if len(text) == 3 and text[0] != "0" else text)


def command_line(text: str, *, root: str) -> list[str]:
    """The words of a command whose program is there."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise SockwakeError(
            f"'{text}' is not a command: {str(error).lower()}", status=USAGE
        ) from None
    if not words or not words[0].startswith("/") or not text.isprintable():
        raise SockwakeError(
            f"'{text}' is not a command", "--exec '/path/of/program --port {port}'", USAGE
        )
    _require_program(words[0], root)
    if any(c in words[0] for c in "\"'\\$"):
        raise SockwakeError(
            f"systemd cannot run {words[0]}", "its path has a quote, a backslash or a $", USAGE
        )
    return words


def _require_program(path: str, root: str) -> None:
    if not os.access(root + path, os.X_OK) or os.path.isdir(root + path):
        raise SockwakeError(f"{path} is not a program", status=USAGE)


def exec_line(words: list[str], places: dict[str, str]) -> str:
    """The words as systemd's ExecStart= takes them literally, with {places} filled in (systemd.service(5), "Command lines")."""
    filled = []
    for word in words:
        each = word
        for place, value in places.items():
            each = each.replace(f"{{{place}}}", value)
        escaped = (
            each.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
        )
        filled.append(
            f'"{escaped}"'
            if not escaped or re.search(r"[^A-Za-z0-9_@%+=:,./-]", escaped)
            else escaped
        )
    return " ".join(filled)


def check_program(text: str, *, root: str) -> str:
    """A program that can be run, or one of the words instead of it."""
    check_value(text, "--check")
    if text.startswith("/"):
        _require_program(text, root)
        if not root:
            safe_path.require_program(text, "check")
    return text


def port_of_backend(text: str, option: str) -> str:
    """A port number, as text."""
    try:
        return str(values.port(text))
    except SockwakeError as error:
        raise SockwakeError(f"{option}: {error.message}", error.hint, USAGE) from None


def checked_root(path: str | None) -> str:
    """The system tree to work on, "" for the running system. An empty path is a variable somebody forgot to set."""
    if path is None:
        return ""
    if not os.path.isdir(path):
        raise SockwakeError(f"there is no directory '{path}'", status=USAGE)
    return os.path.realpath(path).rstrip("/")
