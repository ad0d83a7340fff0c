"""The kinds of instance: a table. docs/new-kind.md tells how to add one.

The templates of a kind are in the folder kinds/NAME; everything else is shared by all kinds. On the
wake path, so it imports nothing.
"""

from __future__ import annotations

COMPOSE, SERVICE, PROJECT = "compose.yaml", "service.conf", ""
POSTGRES = "postgres"  # the value of ready= that only a PostgreSQL can have
NONE, BUILTIN = "none", "builtin"  # values of --check, beside the path of a program
# what wakes a backend: an OCI runtime in a unit of its own, a container engine, systemd on the host
CRUN, ENGINE, HOST = "crun", "engine", "host"
RUNTIMES = (CRUN, ENGINE, HOST)


class Kind:
    """One kind.

    definition: the file beside instance.env that defines the backend: compose.yaml for a container,
        service.conf for a program that systemd runs (definition_for()).
    keys: keys that instance.env must have, beside those of every kind. image_keys: those that it
        must have where an image is run.
    options: names of options of sockwake-new that it takes, where their own declaration
        (admin/make/new_options.py) does not name this kind.
    defaults: the text of such an option when it is not given. fixed: of one that cannot be given.
    image: of a container, when --image is not given; {version} is filled in.
    example: what to type, for the hint beside a missing option.
    ready: the proof that a backend is ready (READY=), unless another is asked for.
    check: how it is found idle (CHECK=), unless asked for otherwise.
    network: what --network is in an engine when it is not given; elsewhere it is none.
    takes_socket: the program itself takes the listening socket, and there is no proxy.
    has_several_ports: PORTS= has them, and not LISTEN= and PORT=.
    runtimes: what can wake it; the first does when RUNTIME= is not said, as in every instance.env
        that version 0.1 wrote.
    """

    def __init__(
        self,
        definition: str,
        *,
        keys: tuple[str, ...] = (),
        image_keys: tuple[str, ...] = (),
        options: tuple[str, ...] = (),
        defaults: dict[str, str] | None = None,
        fixed: dict[str, str] | None = None,
        image: str = "",
        example: str = "",
        ready: str,
        check: str = NONE,
        network: str = NONE,
        takes_socket: bool = False,
        has_several_ports: bool = False,
        runtimes: tuple[str, ...] = (ENGINE,),
    ) -> None:
        self.definition = definition
        self.keys = keys
        self.image_keys = image_keys
        self.options = options
        self.defaults = defaults or {}
        self.fixed = fixed or {}
        self.image = image
        self.example = example
        self.ready = ready
        self.check = check
        self.network = network
        self.takes_socket = takes_socket
        self.has_several_ports = has_several_ports
        self.runtimes = runtimes

    def definition_for(self, runtime: str) -> str:
        """The file that defines the backend of an instance that this runtime wakes."""
        return SERVICE if runtime == HOST else self.definition

    def keys_for(self, runtime: str) -> tuple[str, ...]:
        """The keys that instance.env must have for this runtime."""
        return self.keys if runtime == HOST else self.keys + self.image_keys

    @property
    def has_cluster(self) -> bool:
        """Whether its data are a PostgreSQL cluster, which has a password."""
        return self.ready == POSTGRES


KINDS = {
    "postgres": Kind(
        COMPOSE,
        keys=("VERSION", "DB_USER", "DB_NAME"),
        image_keys=("IMAGE",),
        image="postgres:{version}",
        example="sockwake-new NAME --version 18",
        ready=POSTGRES,
        check=BUILTIN,
        runtimes=(ENGINE, CRUN, HOST),
    ),
    "container": Kind(COMPOSE, ready="http:/", network="bridge", runtimes=(ENGINE, CRUN)),
    "project": Kind(
        PROJECT,
        keys=("PROJECT", "PORTS"),
        example="--compose /srv/shop",
        ready="tcp",
        check=BUILTIN,
        has_several_ports=True,
    ),
    "command": Kind(
        SERVICE, example="--exec '/path/of/program --port {port}'", ready="tcp", runtimes=(HOST,)
    ),
    "native": Kind(
        SERVICE,
        example="--exec '/path/of/program'",
        ready="start",
        check=BUILTIN,
        takes_socket=True,
        runtimes=(HOST,),
    ),
}
