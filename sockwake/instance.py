"""An instance: its name, its paths, and the settings in its instance.env.

Imported on the wake path, so it imports next to nothing itself.
"""

import binascii

from sockwake import timespan
from sockwake.errors import FAILED, UNKNOWN, USAGE, SockwakeError

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_REQUIRED = ("KIND", "LISTEN", "PORT", "IDLE", "VERSION", "IMAGE", "DB_USER", "DB_NAME")
_DEFAULTS = {"DATA": "", "SERVICE": "", "START_TIMEOUT": "90s", "TLS": "no"}
_LONGEST_SOCKET_PATH = 107  # bytes, unix(7)


class Name(str):
    """The name of an instance; one that exists is valid.

    It becomes a unit name, a directory, a container and part of shell-read files, hence the narrow rule.
    The generator repeats it in sh.
    """

    __slots__ = ()
    RULE = "use lower-case letters, digits and '-', starting with a letter, 31 characters at most"

    def __new__(cls, text: str) -> "Name":
        valid = 1 <= len(text) <= 31 and text[0] in _LETTERS and not text.strip(_LETTERS + "0123456789-")
        if not valid:
            raise SockwakeError(f"instance name '{text}' is not valid: {cls.RULE}", status=USAGE)
        return super().__new__(cls, text)


class Instance:
    """Where an instance keeps what; root is the tree it lives in ("" is the running system)."""

    __slots__ = ("etc", "name", "root", "run")

    def __init__(self, name: Name, root: str = "", etc: str = "") -> None:
        self.name = name
        self.root = root
        self.etc = etc or f"{root}/etc/sockwake/{name}"
        self.run = f"{root}/run/sockwake/{name}"

    @property
    def env_file(self) -> str:
        return f"{self.etc}/instance.env"

    @property
    def compose_file(self) -> str:
        return f"{self.etc}/compose.yaml"

    @property
    def password_file(self) -> str:
        return f"{self.etc}/password"

    @property
    def tls_certificate(self) -> str:
        return f"{self.etc}/server.crt"

    @property
    def tls_key(self) -> str:
        return f"{self.etc}/server.key"

    @property
    def uninitialised_file(self) -> str:
        """There until the cluster has been made. Without it a missing cluster is a fault (a disk that is
        not mounted, say) and never a reason to make an empty one."""
        return f"{self.etc}/uninitialised"

    @property
    def backend(self) -> str:
        """The directory the container's PostgreSQL puts its socket into."""
        return f"{self.run}/backend"

    @property
    def netns(self) -> str:
        """Where the network namespace is mounted that the proxy of a TLS instance lives in."""
        return f"{self.run}/netns"

    @property
    def ready_file(self) -> str:
        """There while the backend is ready: idle time in seconds, and where the backend is."""
        return f"{self.run}/ready"

    @property
    def wake_lock(self) -> str:
        """Locked by the waker from its first moment until the ready file or its own end."""
        return f"{self.run}/wake.lock"

    @property
    def failure_file(self) -> str:
        """Why the last wake failed, in one line, for the client that waits."""
        return f"{self.run}/failure"

    @property
    def container(self) -> str:
        return f"sockwake-{self.name}"

    @property
    def socket_unit(self) -> str:
        return f"pg-proxy@{self.name}.socket"

    @property
    def proxy_unit(self) -> str:
        return f"pg-proxy@{self.name}.service"

    @property
    def backend_unit(self) -> str:
        return f"pg-postgres@{self.name}.service"

    def fingerprint(self) -> str:
        """What tells edited files from those a container was made of. Against edits, not against malice."""
        value = size = 0
        for path in (self.env_file, self.compose_file):
            try:
                with open(path, "rb") as file:
                    content = file.read()
            except OSError as error:
                raise SockwakeError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from None
            value = binascii.crc32(content, value)
            size += len(content)
        return f"{size}-{value:08x}"

    def settings(self) -> "Settings":
        """What instance.env says; raises SockwakeError naming file and line, or that there is no such instance."""
        try:
            with open(
                self.env_file, encoding="utf-8", newline=""
            ) as file:  # a CR is part of the line, as for everybody else
                text = file.read()
        except FileNotFoundError:
            raise SockwakeError(
                f"there is no instance '{self.name}'", "sockwake ls shows those there are", UNKNOWN
            ) from None
        except OSError as error:
            raise SockwakeError(f"cannot read {self.env_file}: {(error.strerror or str(error)).lower()}") from None
        except UnicodeDecodeError:
            raise SockwakeError(f"cannot read {self.env_file}: it is not UTF-8") from None
        return Settings(text, self)


class Settings:
    """The settings of one instance, checked.

    listen: addresses, or absolute paths of unix sockets. port: TCP port, and the number in a socket's name.
    idle, start_timeout: seconds. major: the first number of version. data: the cluster's directory on the host.
    tls: whether clients reach the server over TCP in its container's namespace.
    """

    __slots__ = (
        "data",
        "db_name",
        "db_user",
        "idle",
        "image",
        "kind",
        "listen",
        "major",
        "port",
        "service",
        "start_timeout",
        "tls",
        "version",
    )

    def __init__(self, text: str, instance: Instance) -> None:
        values = parse_env(text, instance.env_file)
        for key in values:
            if key not in _REQUIRED and key not in _DEFAULTS:
                raise SockwakeError(f"{instance.env_file}:{_line_of(text, key)}: unknown key '{key}'")
        for key in _REQUIRED:
            if not values.get(key):
                raise SockwakeError(f"{instance.env_file}: key '{key}' is missing")
        values = _DEFAULTS | values
        try:
            self.kind = _one_of(values["KIND"], ("postgres",), "kind")
            self.listen = tuple(check_listen(item) for item in values["LISTEN"].split(","))
            self.port = check_port(values["PORT"])
            self.idle = check_idle(values["IDLE"])
            self.version = values["VERSION"]
            self.major = check_version(values["VERSION"])
            self.image = values["IMAGE"]
            self.data = instance.root + _absolute(values["DATA"] or f"/var/lib/sockwake/{instance.name}", "DATA")
            self.db_user = values["DB_USER"]
            self.db_name = values["DB_NAME"]
            self.service = values["SERVICE"]
            self.tls = _one_of(values["TLS"], ("no", "yes"), "TLS") == "yes"
            self.start_timeout = _start_timeout(values["START_TIMEOUT"])
        except SockwakeError as error:
            raise SockwakeError(f"{instance.env_file}: {error.message}", error.hint) from None

    @property
    def cluster(self) -> str:
        """PGDATA as the host sees it."""
        return pgdata(self.data, self.major)


def pgdata(data: str, major: int) -> str:
    """Where the official image keeps a cluster in a data directory: with 18 it got one directory per version."""
    return f"{data}/{major}/docker" if major >= 18 else data


def parse_env(text: str, path: str) -> dict[str, str]:
    """KEY=value lines as a dict; raises SockwakeError naming path and line.

    systemd, compose and the generator read the same file, each with its own idea of quotes, so that
    every character on which they could differ is refused.
    """
    values: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        key, equals, value = line.partition("=")
        if not equals or not key or key.strip("ABCDEFGHIJKLMNOPQRSTUVWXYZ_"):
            raise SockwakeError(f"{path}:{number}: '{line}' is not KEY=value")
        if key in values:
            raise SockwakeError(f"{path}:{number}: key '{key}' is there twice")
        check_value(value, f"{path}:{number}: the value of {key}", FAILED)
        values[key] = value
    return values


def check_value(value: str, what: str, status: int = USAGE) -> str:
    """value, when every reader of instance.env takes it for the same text."""
    if value != value.strip() or not value.isprintable() or any(c in value for c in "\"'\\$`#;"):
        raise SockwakeError(
            f"{what} has a space at an end, or one of \" ' \\ $ ` # ; or a control character", status=status
        )
    return value


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


def _line_of(text: str, key: str) -> int:
    return next(number for number, line in enumerate(text.split("\n"), 1) if line.startswith(f"{key}="))
