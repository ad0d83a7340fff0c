"""The settings of an instance: what its instance.env says, checked.

Imported on the wake path, so it imports next to nothing itself.
"""

from __future__ import annotations

from sockwake import env, timespan
from sockwake.errors import USAGE, SockwakeError
from sockwake.kind import BUILTIN, COMPOSE, KINDS, NONE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.instance import Instance

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_REQUIRED = ("KIND", "LISTEN", "PORT", "IDLE")
_DEFAULTS = {
    "ALLOW": "any",
    "BACKEND_PORT": "",
    "CHECK": "",
    "CHECK_EVERY": "",
    "CLIENT_FIRST": "no",
    "DATA": "",
    "DB_NAME": "",
    "DB_USER": "",
    "ENGINE": "docker",
    "IMAGE": "",
    "READY": "",
    "SERVICE": "",
    "SOCKET_MODE": "0666",
    "SOCKET_USER": "",
    "START_TIMEOUT": "90s",
    "TLS": "no",
    "VERSION": "",
}
ENGINES = ("docker", "podman")
_POSTGRES_PORT = 5432
_SHORTEST_STARTUP = 8  # bytes, an SSLRequest
_SHORTEST_REQUEST = len("GET / HTTP/1.0\r\n\r\n")
_CHECK_EVERY = 30.0  # seconds, unless IDLE is shorter
_LONGEST_SOCKET_PATH = 107  # bytes, unix(7)


class Settings:
    """The settings of one instance, checked.

    listen: addresses, or absolute paths of unix sockets. port: TCP port, and the number in a socket's name.
    allow: the networks and addresses of clients; none for any.
    idle, check_every, start_timeout: seconds. major: the first number of version, 0 without one.
    data: the directory of its data on the host, "" when it keeps none.
    backend_port: where its server is in its own network namespace; 0 for a unix socket.
    ready: "postgres", "http:/PATH", "tcp", "notify" or "start". client_first: whether that protocol, which none of these
        tells, has the client speak first. check: "none", "builtin" or a program.
    """

    __slots__ = (
        "allow",
        "backend_port",
        "check",
        "check_every",
        "client_first",
        "data",
        "db_name",
        "db_user",
        "engine",
        "idle",
        "image",
        "kind",
        "listen",
        "major",
        "port",
        "ready",
        "service",
        "start_timeout",
        "tls",
        "version",
    )

    def __init__(self, text: str, instance: Instance) -> None:
        values = env.parse(text, instance.env_file)
        for key in values:
            if key not in _REQUIRED and key not in _DEFAULTS:
                raise SockwakeError(f"{instance.env_file}:{env.line_of(text, key)}: unknown key '{key}'")
        kind = KINDS.get(values.get("KIND", ""))
        for key in _REQUIRED + (kind.keys if kind else ()):
            if not values.get(key):
                raise SockwakeError(f"{instance.env_file}: key '{key}' is missing")
        try:
            self._take(_DEFAULTS | values, instance)
        except SockwakeError as error:
            raise SockwakeError(f"{instance.env_file}: {error.message}", error.hint) from None

    def _take(self, values: dict[str, str], instance: Instance) -> None:
        self.kind = _one_of(values["KIND"], tuple(KINDS), "kind")
        kind = KINDS[self.kind]
        self.listen = tuple(check_listen(item) for item in values["LISTEN"].split(","))
        self.port = check_port(values["PORT"])
        self.allow = (
            () if values["ALLOW"] == "any" else tuple(check_network(item) for item in values["ALLOW"].split(","))
        )
        self.idle = check_idle(values["IDLE"])
        self.version = values["VERSION"]
        self.major = check_version(self.version) if kind.has_cluster else 0
        self.image = values["IMAGE"]
        keeps_data = values["DATA"] or kind.has_cluster
        self.data = instance.root + _absolute(values["DATA"] or instance.data, "DATA") if keeps_data else ""
        self.db_user = values["DB_USER"]
        self.db_name = values["DB_NAME"]
        self.service = values["SERVICE"]
        self.tls = _one_of(values["TLS"], ("no", "yes"), "TLS") == "yes"
        self.backend_port = check_port(values["BACKEND_PORT"]) if values["BACKEND_PORT"] else 0
        if self.tls:
            self.backend_port = _POSTGRES_PORT
        self.ready = check_ready(values["READY"] or kind.ready, self.kind)
        self.client_first = _one_of(values["CLIENT_FIRST"], ("no", "yes"), "CLIENT_FIRST") == "yes"
        self.check = check_check(values["CHECK"] or kind.check)
        self.check_every = check_every(values["CHECK_EVERY"]) if values["CHECK_EVERY"] else min(self.idle, _CHECK_EVERY)
        self.engine = _one_of(values["ENGINE"], ENGINES, "engine")
        self.start_timeout = _start_timeout(values["START_TIMEOUT"])
        self._require_sense(values)

    def _require_sense(self, values: dict[str, str]) -> None:
        """Raise SockwakeError for what is only for another kind, or for a unix socket that systemd would not make."""
        if self.tls and not self.has_cluster:
            raise SockwakeError("TLS=yes is only for kind 'postgres'", "any other server can offer TLS itself")
        if values["BACKEND_PORT"] and (self.has_cluster or self.is_native):
            raise SockwakeError(f"BACKEND_PORT is not for an instance of kind '{self.kind}'")
        if values["SOCKET_MODE"]:
            check_socket_mode(values["SOCKET_MODE"])
        if values["SOCKET_USER"]:
            check_user(values["SOCKET_USER"])

    @property
    def socket_name(self) -> str:
        """The unix socket in the backend's directory."""
        return f".s.PGSQL.{_POSTGRES_PORT}" if self.has_cluster else "socket"

    @property
    def has_unix_socket(self) -> bool:
        """Whether clients come through one, too."""
        return any(item.startswith("/") for item in self.listen)

    @property
    def first_words(self) -> int:
        """Bytes a client sends before it waits for an answer, at least; 0 where the server may be the first to speak."""
        if self.has_cluster:
            return _SHORTEST_STARTUP
        return _SHORTEST_REQUEST if self.ready.startswith("http:") else int(self.client_first)

    @property
    def is_native(self) -> bool:
        """Whether the program itself takes the listening socket, and there is no proxy."""
        return KINDS[self.kind].takes_socket

    @property
    def has_check(self) -> bool:
        """Whether it is looked at while it is awake. Of a program that takes its clients itself no proxy counts them."""
        return self.check != NONE or self.is_native

    @property
    def has_cluster(self) -> bool:
        """Whether its data are a PostgreSQL cluster."""
        return KINDS[self.kind].has_cluster

    @property
    def is_container(self) -> bool:
        return KINDS[self.kind].definition == COMPOSE

    @property
    def cluster(self) -> str:
        """PGDATA as the host sees it."""
        return pgdata(self.data, self.major)


def pgdata(data: str, major: int) -> str:
    """Where the official image keeps a cluster in a data directory: with 18 it got one directory per version."""
    return f"{data}/{major}/docker" if major >= 18 else data


def check_listen(item: str) -> str:
    """item, when it is an address or the absolute path of a socket the generator will take."""
    of_a_path = _LETTERS + _LETTERS.upper() + "0123456789._/-+@"
    alphabet = of_a_path if item.startswith("/") else "0123456789abcdefABCDEF.:"
    if len(item) > _LONGEST_SOCKET_PATH:
        raise SockwakeError(
            f"'{item}' is longer than the {_LONGEST_SOCKET_PATH} bytes of a unix socket's path", status=USAGE
        )
    if not item or item.strip(alphabet) or "/../" in f"{item}/":
        raise SockwakeError(
            f"'{item}' is neither an IP address nor the absolute path of a unix socket",
            "leave out --listen for 127.0.0.1",
            USAGE,
        )
    return item


def check_network(text: str) -> str:
    """text, when it is an address or a network the generator will take."""
    if not text or text.strip("0123456789abcdefABCDEF.:/"):
        raise SockwakeError(f"'{text}' is neither an IP address nor a network", "as in 10.0.0.0/8", USAGE)
    return text


def check_port(text: str) -> int:
    """The port number in text."""
    if not text.isascii() or not text.isdigit() or len(text) > 5 or text[0] == "0" or int(text) > 65535:
        raise SockwakeError(f"port '{text}' is not a number from 1 to 65535", status=USAGE)
    return int(text)


def check_idle(text: str) -> float:
    """Seconds of an idle time of one second or more."""
    seconds = timespan.parse(text)
    if seconds < 1:
        raise SockwakeError(f"idle time '{text}' is shorter than a second", status=USAGE)
    return seconds


def check_ready(text: str, kind_name: str) -> str:
    """text, when it names a proof of readiness that an instance of this kind can give."""
    kind = KINDS[kind_name]
    words = ("notify", "start") if kind.takes_socket else (kind.ready,) if kind.has_cluster else ("tcp",)
    by_http = words == ("tcp",) and text.startswith("http:/") and " " not in text
    if text not in words and not by_http:
        known = " or ".join((*words, "http:/PATH") if words == ("tcp",) else words)
        raise SockwakeError(
            f"an instance of kind '{kind_name}' cannot be ready by '{text}'", f"it can by {known}", USAGE
        )
    return text


def check_user(text: str) -> str:
    """text, when it can be the name of a user."""
    letters = _LETTERS + _LETTERS.upper() + "_"
    if text[:1] not in letters or not text or text.strip(letters + "0123456789.-"):
        raise SockwakeError(f"'{text}' is not the name of a user", status=USAGE)
    return text


def check_socket_mode(text: str) -> str:
    """text, when it is an octal mode of four digits."""
    if len(text) != 4 or text[0] != "0" or text.strip("01234567"):
        raise SockwakeError(f"socket mode '{text}' is not valid", "write it as in 0660", USAGE)
    return text


def check_check(text: str) -> str:
    """text, when it names a check."""
    if text not in (NONE, BUILTIN) and not text.startswith("/"):
        raise SockwakeError(f"check '{text}' is not the absolute path of a program", f"or {BUILTIN}, or {NONE}", USAGE)
    return text


def check_every(text: str) -> float:
    """Seconds between two checks."""
    seconds = timespan.parse(text)
    if not 1 <= seconds < timespan.INFINITY:
        raise SockwakeError(f"check interval '{text}' is not a finite time of a second or more", status=USAGE)
    return seconds


def check_version(text: str) -> int:
    """The major version in "18" or "17.4"."""
    major, dot, minor = text.partition(".")
    if (
        not text.isascii()
        or not (major + minor).isdigit()
        or len(major) != 2
        or major[0] == "0"
        or bool(dot) != bool(minor)
    ):
        raise SockwakeError(f"version '{text}' is not a PostgreSQL version", "write it as in --version 18", USAGE)
    return int(major)


def _start_timeout(text: str) -> float:
    seconds = timespan.parse(text)
    if not 1 <= seconds < timespan.INFINITY:
        raise SockwakeError(f"start timeout '{text}' is not a finite time of a second or more")
    return seconds


def _absolute(path: str, what: str) -> str:
    if not path.startswith("/"):
        raise SockwakeError(f"{what} '{path}' is not an absolute path")
    return path


def _one_of(text: str, known: tuple[str, ...], what: str) -> str:
    if text not in known:
        raise SockwakeError(f"{what} '{text}' is not known: {', '.join(known)}", status=USAGE)
    return text
