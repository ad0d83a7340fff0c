"""What the values of options may be.

Each function takes text and returns the checked value, or raises SockwakeError. It looks at the
text alone, as neither the kind nor the tree is known while arguments are parsed; host.py looks
further.
"""

import ipaddress
import os
import re
import shlex

from sockwake.config import hours, timespan, values
from sockwake.config.settings import ENGINES, PRESSURES
from sockwake.errors import USAGE, SockwakeError
from sockwake.kinds.table import CRUN, ENGINE, HOST, KINDS
from sockwake.system import safe_path

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_GUC_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_RESERVED = ("listen_addresses", "unix_socket_directories", "port", "data_directory")
_LONGEST_GUC_SPAN = 2**31 - 1  # ms, guc.c
_SINCE_SESSION_IDLE = 14  # the PostgreSQL that brought idle_session_timeout
_SESSION_IDLE = 15 * 60  # seconds
_LONGEST_NAME = 63  # bytes, NAMEDATALEN


def kind(text: str) -> str:
    """The name of a kind."""
    return values.one_of(text, tuple(KINDS), "kind")


def engine(text: str) -> str:
    """The name of a container engine."""
    return values.one_of(text, ENGINES, "engine")


def runtime(text: str) -> str:
    """What wakes an instance of a kind that several can wake."""
    return values.one_of(text, (CRUN, ENGINE, HOST), "runtime")


def pressure(text: str) -> str:
    """What a wake does while memory is short."""
    return values.one_of(text, PRESSURES, "pressure")


def idle(text: str) -> str:
    """An idle time, as instance.env has it."""
    values.idle(text)
    return " ".join(text.split())


def check_every(text: str) -> str:
    """The interval of checks, as instance.env has it."""
    values.check_every(text)
    return " ".join(text.split())


def start_timeout(text: str) -> str:
    """The longest time of a start, as instance.env has it."""
    values.start_timeout(text)
    return " ".join(text.split())


def keep(text: str) -> str:
    """Hours in which it is kept awake, that systemd knows."""
    from sockwake.lifecycle import hours as known

    known.require_known(hours.parse(text))
    return text


def variable(text: str) -> str:
    """KEY=VALUE for a container, or KEY, whose value is then that of our own environment."""
    key, equals, _ = text.partition("=")
    if not _VARIABLE.fullmatch(key):
        raise SockwakeError(f"'{key}' is not the name of a variable", "--env KEY=VALUE", USAGE)
    if equals:
        return text
    if key not in os.environ:
        raise SockwakeError(f"variable {key} is not set here", f"--env {key}=VALUE", USAGE)
    return f"{key}={os.environ[key]}"


def session_idle(text: str) -> float:
    """Seconds; 0 and infinity are never."""
    seconds = timespan.parse(text)
    if _LONGEST_GUC_SPAN < seconds * 1000 < timespan.INFINITY:
        raise SockwakeError(
            f"session idle time '{text}' is longer than 24 days", "0 is never", USAGE
        )
    return seconds


def data_path(path: str) -> str:
    """A data directory: an absolute path, normalised."""
    if not path.startswith("/") or ":" in path:
        raise SockwakeError(
            f"data directory '{path}' is not an absolute path of its own", status=USAGE
        )
    # normpath() keeps two leading slashes, which the kernel takes for one
    return f"/{os.path.normpath(path).lstrip('/')}"


def compose_path(path: str) -> str:
    """The absolute path of a compose project or file, which instance.env is going to name."""
    return values.check_value(os.path.abspath(path), "the path of the project")


def profile(text: str) -> str:
    """The name of a compose profile."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", text):
        raise SockwakeError(f"'{text}' is not the name of a compose profile", status=USAGE)
    return text


def listen_item(item: str) -> str:
    """An address, or the directory or path of a unix socket."""
    values.listen(item)
    if item.startswith("/"):
        values.listen(socket_path(item, 65535))
    else:
        try:
            address = ipaddress.ip_address(item)
        except ValueError:
            why = f"'{item}' is not an IP address"
            raise SockwakeError(why, "leave out --listen for 127.0.0.1", USAGE) from None
        if mapped := getattr(address, "ipv4_mapped", None):
            raise SockwakeError(f"'{item}' is an IPv4 address in IPv6", f"it is {mapped}", USAGE)
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
    """The path of the socket that libpq looks for in a directory: ".s.PGSQL.PORT"."""
    return path if "/.s.PGSQL." in path else f"{path.rstrip('/')}/.s.PGSQL.{port}"


def word(text: str, what: str, pattern: str) -> str:
    """text, when it matches pattern; what: its name in the error."""
    if not re.fullmatch(pattern, text):
        raise SockwakeError(f"{what} '{text}' is not valid", status=USAGE)
    return text


def identifier(text: str) -> str:
    """A PostgreSQL identifier."""
    if len(text.encode()) > _LONGEST_NAME:
        raise SockwakeError(
            f"'{text}' is longer than the {_LONGEST_NAME} bytes of a name in PostgreSQL",
            status=USAGE,
        )
    return text


def server_setting(assignment: str) -> tuple[str, str]:
    """Name and value of a PostgreSQL setting."""
    guc, equals, value = assignment.partition("=")
    if not equals or not _GUC_NAME.fullmatch(guc) or not value.isprintable():
        raise SockwakeError(f"'{assignment}' is not GUC=VALUE", "as in --set work_mem=64MB", USAGE)
    if guc.lower() in _RESERVED:
        raise SockwakeError(f"'{guc}' is set by sockwake", "leave it out", USAGE)
    return guc, value


def server_settings(
    given: list[tuple[str, str]], session_idle: float | None, major: int
) -> dict[str, str]:
    """The settings a server is started with; session_idle: seconds, None for the default."""
    gucs = {"listen_addresses": ""}
    seconds = _SESSION_IDLE if session_idle is None else session_idle
    if major >= _SINCE_SESSION_IDLE and 0 < seconds < timespan.INFINITY:
        gucs["idle_session_timeout"] = f"{max(1, round(seconds * 1000))}"
    elif session_idle is not None and major < _SINCE_SESSION_IDLE:
        raise SockwakeError(
            f"PostgreSQL {major} has no idle_session_timeout", "leave out --session-idle", USAGE
        )
    return gucs | dict(given)


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
    if not text.startswith("/") or ":" in text or os.path.normpath(text) == "/":
        raise SockwakeError(f"'{text}' is not an absolute path in the container", status=USAGE)
    return text


def socket_mode(text: str) -> str:
    """An octal mode, as in 0660."""
    return values.socket_mode(f"0{text}" if len(text) == 3 and text[0] != "0" else text)


def command_line(text: str) -> list[str]:
    """The words of a command, the first of which is an absolute path."""
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
    if any(c in words[0] for c in "\"'\\$"):
        raise SockwakeError(
            f"systemd cannot run {words[0]}", "its path has a quote, a backslash or a $", USAGE
        )
    return words


def exec_line(words: list[str], places: dict[str, str]) -> str:
    """Words for ExecStart=, quoted so that systemd takes them literally, with {places} filled in.

    systemd.service(5), "Command lines".
    """
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


def unit_path(path: str) -> str:
    """A path for a unit's BindPaths=, quoted so that systemd takes it literally."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"' if re.search(r"[^A-Za-z0-9_@%+=,./-]", escaped) else escaped


def container_port(text: str) -> int:
    """A port number in a container."""
    try:
        return values.port(text)
    except SockwakeError as error:
        raise SockwakeError(f"--container-port: {error.message}", error.hint, USAGE) from None


# all that commands write or read below --root, but for the data directory of an instance
_OF_A_TREE = (
    "/etc/postgresql",
    "/etc/sockwake",
    "/etc/systemd/system/sockets.target.wants",
    "/etc/systemd/system/sockwake.target.wants",
    "/etc/systemd/system-preset/50-sockwake.preset",
    "/run/sockwake",
    "/usr/share/sockwake/images/archives",
    "/var/lib/private/sockwake",
    "/var/lib/sockwake/bundles",
    "/var/lib/sockwake/images/archives",
)


def tree(path: str) -> str:
    """The system tree to work on; "" for the running system's own root.

    Raises SockwakeError for one whose links would have this system's files written or read.
    """
    if not os.path.isdir(path):
        raise SockwakeError(f"there is no directory '{path}'", status=USAGE)
    root = os.path.realpath(path).rstrip("/")
    for place in _OF_A_TREE if root else ():
        safe_path.require_inside(root, place)
    return root
