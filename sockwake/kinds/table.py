"""The kinds of instance: a table. docs/new-kind.md tells how to add one.

What a kind's files look like is in the folder kinds/NAME; what every kind shares is everywhere else. Imported on
the wake path, so it imports nothing.
"""

from __future__ import annotations

COMPOSE, SERVICE = "compose.yaml", "service.conf"
POSTGRES = "postgres"  # the proof no other kind can give
NONE, BUILTIN = "none", "builtin"  # --check, beside the path of a program


class Kind:
    """One kind.

    definition: the file beside instance.env that says what runs: compose.yaml for a container of an engine's,
        service.conf for a program of systemd's.
    keys: what instance.env must have, beside what every kind's must.
    options: sockwake-new's options for this kind alone, with their defaults; None for one that must be given.
    fixed: such options with what they always are for this kind; they cannot be given.
    ready: the proof that a backend is ready (READY=), unless another is asked for.
    check: how it is found idle (CHECK=), unless asked for otherwise.
    network: what --network is when it is not given.
    takes_socket: the program itself takes the listening socket, and there is no proxy.
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
    ) -> None:
        self.definition = definition
        self.keys = keys
        self.options = options
        self.fixed = fixed or {}
        self.ready = ready
        self.check = check
        self.network = network
        self.takes_socket = takes_socket

    @property
    def has_cluster(self) -> bool:
        """Whether its data are a PostgreSQL cluster, which has a password and a proof of readiness of its own."""
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
    "native": Kind(SERVICE, options=_PROGRAM, ready="start", check=BUILTIN, takes_socket=True),
}
