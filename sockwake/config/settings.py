"""The settings of an instance: what its instance.env says, checked.

Imported on the wake path, so it imports next to nothing itself.
"""

from __future__ import annotations

from sockwake.config import endpoint, envfile, values
from sockwake.config.keys import DEFAULTS, OF_ONE_PORT, REQUIRED
from sockwake.config.limits import Limits
from sockwake.errors import SockwakeError, reason
from sockwake.kinds.table import CRUN, ENGINE, HOST, KINDS, NONE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.config.hours import Hours
    from sockwake.config.instance import Instance

KEYS = frozenset(REQUIRED) | frozenset(DEFAULTS)
ENGINES = ("docker", "podman")
PRESSURES = ("off", "wait", "refuse")
_POSTGRES_PORT = 5432
_SHORTEST_STARTUP = 8  # bytes, an SSLRequest
_SHORTEST_REQUEST = len("GET / HTTP/1.0\r\n\r\n")
_CHECK_EVERY = 30.0  # seconds, unless IDLE is shorter


class Settings:
    """The settings of one instance, checked.

    listen: addresses, or absolute paths of unix sockets. port: TCP port, and the number in a
        socket's name; of a project the first. places: each address with its port, in order.
    project, profiles: where a compose project is, and which of its profiles are enabled.
    ports: of a project, each with the service that is behind it.
    allow: the networks and addresses of clients; none for any.
    idle, check_every, start_timeout: seconds. major: the first number of version, 0 without one.
    data: the directory of its data on the host, "" when it keeps none.
    backend_port: where its server is in its own network namespace; 0 for a unix socket.
    probe_host: the name that the server is asked for by HTTP, "" for localhost.
    ready: "postgres", "http:/PATH", "tcp", "notify" or "start". client_first: whether that
        protocol, which none of these tells, has the client speak first. check: "none", "builtin"
        or a program.
    keep: the hours in which it is kept awake.
    backup: when backups of it are made: "on-sleep", and calendar events. keep_backups: how many are
        kept, 0 for all. maintain: the windows of its upkeep, of which some have no end.
    pressure: what a wake does while the machine is short of memory: "off", "wait" or "refuse".
    runtime: what wakes the backend: "crun", "engine", or "host" for systemd.
    limits: what it may use of the machine.
    """

    __slots__ = (
        "allow",
        "backend_port",
        "backup",
        "check",
        "check_every",
        "client_first",
        "data",
        "db_name",
        "db_user",
        "engine",
        "idle",
        "image",
        "keep",
        "keep_backups",
        "kind",
        "limits",
        "listen",
        "maintain",
        "major",
        "places",
        "port",
        "ports",
        "pressure",
        "probe_host",
        "profiles",
        "project",
        "ready",
        "runtime",
        "service",
        "start_timeout",
        "tls",
        "version",
    )

    def __init__(self, text: str, instance: Instance) -> None:
        lines = envfile.parse(text, instance.env_file)
        for key in lines:
            if key not in REQUIRED and key not in DEFAULTS:
                raise SockwakeError(
                    f"{instance.env_file}:{envfile.line_of(text, key)}: unknown key '{key}'"
                )
        kind = KINDS.get(lines.get("KIND", ""))
        one_port = () if kind and kind.has_several_ports else OF_ONE_PORT
        own = kind.keys_for(lines.get("RUNTIME") or kind.runtimes[0]) if kind else ()
        for key in REQUIRED[:1] + one_port + REQUIRED[1:] + own:
            if not lines.get(key):
                raise SockwakeError(f"{instance.env_file}: key '{key}' is missing")
        try:
            self._take(DEFAULTS | lines, instance)
        except SockwakeError as error:
            raise SockwakeError(f"{instance.env_file}: {error.message}", error.hint) from None

    def _take(self, lines: dict[str, str], instance: Instance) -> None:
        self.kind = values.one_of(lines["KIND"], tuple(KINDS), "kind")
        kind = KINDS[self.kind]
        self._take_ports(lines, kind.has_several_ports)
        networks = [] if lines["ALLOW"] == "any" else lines["ALLOW"].split(",")
        self.allow = tuple(map(values.network, networks))
        self.idle = values.idle(lines["IDLE"])
        self.version = lines["VERSION"]
        self.major = values.version(self.version) if kind.has_cluster else 0
        self.image = lines["IMAGE"]
        data = lines["DATA"] or (instance.data if kind.has_cluster else "")
        self.data = instance.root + values.absolute(data, "DATA") if data else ""
        self.db_user = lines["DB_USER"]
        self.db_name = lines["DB_NAME"]
        self.service = lines["SERVICE"]
        self.tls = _is_yes(lines, "TLS")
        self.backend_port = values.port(lines["BACKEND_PORT"]) if lines["BACKEND_PORT"] else 0
        if self.tls:
            self.backend_port = _POSTGRES_PORT
        self.ready = values.ready(lines["READY"] or kind.ready, self.kind)
        self.probe_host = values.probe_host(lines["PROBE_HOST"])
        self.client_first = _is_yes(lines, "CLIENT_FIRST")
        self.check = values.check(lines["CHECK"] or kind.check)
        every = lines["CHECK_EVERY"]
        self.check_every = values.check_every(every) if every else min(self.idle, _CHECK_EVERY)
        self.engine = values.one_of(lines["ENGINE"], ENGINES, "engine")
        self.runtime = values.runtime(lines["RUNTIME"] or kind.runtimes[0], self.kind)
        self.start_timeout = values.start_timeout(lines["START_TIMEOUT"])
        self.keep = _hours(lines["KEEP"])
        self.backup, self.keep_backups, self.maintain = _upkeep(lines)
        self.limits = Limits(lines, self.kind)
        self.pressure = values.one_of(lines["PRESSURE"], PRESSURES, "PRESSURE")
        self._require_sense(lines)

    def _take_ports(self, lines: dict[str, str], several: bool) -> None:
        self.project = values.absolute(lines["PROJECT"], "PROJECT") if lines["PROJECT"] else ""
        self.profiles = tuple(lines["PROFILES"].split(",")) if lines["PROFILES"] else ()
        self.ports = endpoint.parse(lines["PORTS"]) if several else ()
        theirs = OF_ONE_PORT if several else ("PORTS", "PROJECT", "PROFILES")
        if wrong := next((key for key in theirs if lines[key]), ""):
            raise SockwakeError(f"{wrong} is not for an instance of kind '{self.kind}'")
        if several:
            self.listen = tuple(dict.fromkeys(each.address for each in self.ports))
            self.port = self.ports[0].port
            self.places = tuple((each.address, each.port) for each in self.ports)
        else:
            self.listen = tuple(values.listen(item) for item in lines["LISTEN"].split(","))
            self.port = values.port(lines["PORT"])
            self.places = tuple((item, self.port) for item in self.listen)

    def _require_sense(self, lines: dict[str, str]) -> None:
        """Raise SockwakeError for a key of another kind, and for what systemd would refuse."""
        if self.tls and not self.has_cluster:
            raise SockwakeError(
                "TLS=yes is only for kind 'postgres'", "any other server can offer TLS itself"
            )
        if lines["BACKEND_PORT"] and (self.has_cluster or self.is_native or self.is_project):
            raise SockwakeError(f"BACKEND_PORT is not for an instance of kind '{self.kind}'")
        if self.probe_host and not self.ready.startswith("http:"):
            raise SockwakeError(
                f"PROBE_HOST is not for what is ready by '{self.ready}'", "READY=http:/ asks for it"
            )
        if self.maintain and not self.has_cluster:
            raise SockwakeError(f"MAINTAIN is not for an instance of kind '{self.kind}'")
        if lines["SOCKET_MODE"]:
            values.socket_mode(lines["SOCKET_MODE"])
        if lines["SOCKET_USER"]:
            values.user(lines["SOCKET_USER"])

    @property
    def socket_name(self) -> str:
        """The name of the backend's unix socket in its directory."""
        return f".s.PGSQL.{_POSTGRES_PORT}" if self.has_cluster else "socket"

    @property
    def has_unix_socket(self) -> bool:
        """Whether one of the listening sockets is a unix socket."""
        return any(item.startswith("/") for item in self.listen)

    @property
    def first_words(self) -> int:
        """The least bytes a client sends before it waits; 0 if a server may send first."""
        if self.has_cluster:
            return _SHORTEST_STARTUP
        return _SHORTEST_REQUEST if self.ready.startswith("http:") else int(self.client_first)

    @property
    def is_native(self) -> bool:
        """Whether the program itself takes the listening socket: there is no proxy."""
        return KINDS[self.kind].takes_socket

    @property
    def is_project(self) -> bool:
        """Whether it is a compose project, of several services and ports."""
        return KINDS[self.kind].has_several_ports

    @property
    def counts_clients(self) -> bool:
        """Whether only a check tells that no client is left: no one proxy has them all."""
        return self.is_native or self.is_project

    @property
    def has_check(self) -> bool:
        """Whether a timer checks it while it is awake: there is a check, or no proxy that ends."""
        return self.check != NONE or self.counts_clients

    @property
    def has_cluster(self) -> bool:
        """Whether its data are a PostgreSQL cluster."""
        return KINDS[self.kind].has_cluster

    @property
    def fast_stop(self) -> str:
        """The signal for which PostgreSQL shuts down, however often it comes; "" for others."""
        return "SIGINT" if self.has_cluster else ""

    @property
    def is_container(self) -> bool:
        return self.runtime != HOST

    @property
    def needs_engine(self) -> bool:
        """Whether a container engine wakes it."""
        return self.runtime == ENGINE

    @property
    def is_bundled(self) -> bool:
        """Whether crun wakes it, from a bundle of its own."""
        return self.runtime == CRUN

    @property
    def cluster(self) -> str:
        """PGDATA as the host sees it."""
        return pgdata(self.data, self.major)


def _hours(text: str) -> tuple[Hours, ...]:
    if not text:
        return ()
    from sockwake.config import hours  # late: few instances have any

    return hours.parse(text)


def _upkeep(lines: dict[str, str]) -> tuple[tuple[str, ...], int, tuple[Hours, ...]]:
    """What BACKUP, KEEP_BACKUPS and MAINTAIN say."""
    backup, kept, maintain = lines["BACKUP"], lines["KEEP_BACKUPS"], lines["MAINTAIN"]
    if (backup, kept, maintain) == ("no", "", "no"):
        return (), 0, ()
    from sockwake.config import schedule  # late: few instances have any

    number = schedule.keep_backups(kept) if kept else 0
    return schedule.backup(backup or "no"), number, schedule.maintain(maintain or "no")


def _is_yes(lines: dict[str, str], key: str) -> bool:
    return values.one_of(lines[key], ("no", "yes"), key) == "yes"


def pgdata(data: str, major: int) -> str:
    """Where the official image keeps a cluster in a data directory: since 18 in one per version."""
    return f"{data}/{major}/docker" if major >= 18 else data


def load(instance: Instance) -> Settings:
    """The settings in instance.env. Called once per command or program, which passes them on.

    Raises SockwakeError that names file and line, or says that there is no such instance.
    """
    try:
        # newline="": a CR is part of a line, as for systemd and compose
        with open(instance.env_file, encoding="utf-8", newline="") as file:
            text = file.read()
    except FileNotFoundError:
        from sockwake.config import similar

        raise similar.no_instance(instance.name, instance.root) from None
    except OSError as error:
        raise SockwakeError(f"cannot read {instance.env_file}: {reason(error)}") from None
    except UnicodeDecodeError:
        raise SockwakeError(f"cannot read {instance.env_file}: it is not UTF-8") from None
    return Settings(text, instance)


def load_if_valid(instance: Instance) -> Settings | None:
    """The settings in instance.env, None when the file is missing or broken."""
    try:
        return load(instance)
    except SockwakeError:
        return None
