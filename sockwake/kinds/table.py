"""The kinds of instance: a table. docs/new-kind.md tells how to add one.

The templates of a kind are in the folder kinds/NAME; everything else is shared by all kinds. On the
wake path, so it imports nothing.
"""

from __future__ import annotations

COMPOSE, SERVICE, PROJECT = "compose.yaml", "service.conf", ""
POSTGRES = "postgres"  # the value of ready= that only a PostgreSQL can have
NONE, BUILTIN = "none", "builtin"  # values of --check, beside the path of a program


class Kind:
    """One kind.

    definition: the file beside instance.env that defines the backend: compose.yaml for a container
        of an engine, service.conf for a program that systemd runs.
    keys: keys that instance.env must have, beside those of every kind.
    options: options of sockwake-new for this kind alone, with defaults; None for a required one.
    fixed: such options with a value that cannot be changed.
    ready: the default of READY=, the proof that a backend is ready.
    check: the default of CHECK=, how an idle backend is told.
    network: the default of --network.
    takes_socket: the program itself takes the listening socket, and there is no proxy.
    has_several_ports: PORTS= has them, and not LISTEN= and PORT=.
    """

    def __init__(
        self,
        definition: str,
        *,
        keys: tuple[str, ...] = (),
        options: dict[str, str | None],
        fixed: dict[str, str] | None = None,
        ready: str,
        check: str = NONE,
        network: str = NONE,
        takes_socket: bool = False,
        has_several_ports: bool = False,
    ) -> None:
        self.definition = definition
        self.keys = keys
        self.options = options
        self.fixed = fixed or {}
        self.ready = ready
        self.check = check
        self.network = network
        self.takes_socket = takes_socket
        self.has_several_ports = has_several_ports

    @property
    def has_cluster(self) -> bool:
        """Whether its data are a PostgreSQL cluster, which has a password."""
        return self.ready == POSTGRES


_POSTGRES: dict[str, str | None] = {
    "version": None,
    "image": "postgres:{version}",
    "db_user": "postgres",
    "db_name": "{db_user}",
    "set": "",
    "session_idle": "",
    "tls": "",
    "tls_cert": "",
    "tls_key": "",
    "data": "",
    "engine": "",
}
_CONTAINER: dict[str, str | None] = {
    "image": "",
    "compose": "",
    "service": "",
    "container_port": "",
    "mount": "",
    "data": "",
    "engine": "",
    "ready": "",
    "client_first": "",
}
_PROGRAM: dict[str, str | None] = {"exec": None, "run_as": "", "ready": "", "client_first": ""}

_PROJECT: dict[str, str | None] = {
    "compose": None,
    "service": "",
    "engine": "",
    "ready": "",
    "client_first": "",
}

KINDS = {
    "postgres": Kind(
        COMPOSE,
        keys=("VERSION", "IMAGE", "DB_USER", "DB_NAME"),
        options=_POSTGRES,
        ready=POSTGRES,
        check=BUILTIN,
    ),
    "container": Kind(COMPOSE, options=_CONTAINER, ready="http:/", network="bridge"),
    "command": Kind(SERVICE, options=_PROGRAM, ready="tcp"),
    "project": Kind(
        PROJECT,
        keys=("PROJECT", "PORTS"),
        options=_PROJECT,
        ready="tcp",
        check=BUILTIN,
        has_several_ports=True,
    ),
    "native": Kind(SERVICE, options=_PROGRAM, ready="start", check=BUILTIN, takes_socket=True),
}
