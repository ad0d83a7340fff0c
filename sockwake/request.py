"""What sockwake-new was asked for, checked: a Request that can be carried out as it stands, or an error."""

import argparse
import os
from dataclasses import dataclass, field
from typing import Any

from sockwake import option, scope
from sockwake.env import check_value
from sockwake.errors import USAGE, SockwakeError
from sockwake.instance import Instance, Name
from sockwake.kind import COMPOSE, KINDS, SERVICE, Kind
from sockwake.settings import check_check, check_every, check_idle, check_port, check_ready, check_version

_TLS_GUCS = {"listen_addresses": "127.0.0.1", "ssl": "on"}
_ORDER = (
    "KIND ENGINE VERSION IMAGE LISTEN PORT ALLOW SOCKET_USER SOCKET_MODE BACKEND_PORT READY CLIENT_FIRST "
    "IDLE CHECK CHECK_EVERY DB_USER DB_NAME DATA SERVICE TLS"
).split()


@dataclass
class Request:
    """One checked sockwake-new. port None is the next free one; data "" the default directory, or none.

    lines: of instance.env, that are known before the port is. values: for the template of the definition.
    definition: the definition itself, where it was brought along. words: the command of a program. private_port: the
    backend's is in a namespace of its own, so that any will do. tls: certificate and key; ("", "") where a wake makes them.
    """

    name: Name
    kind_name: str
    root: str
    listen: list[str]
    port: int | None
    data: str = ""
    lines: dict[str, str] = field(default_factory=dict)
    values: dict[str, object] = field(default_factory=dict)
    definition: str = ""
    words: list[str] = field(default_factory=list)
    private_port: bool = True
    tls: tuple[str, str] | None = None
    adopt: bool = False

    @property
    def kind(self) -> Kind:
        return KINDS[self.kind_name]

    @property
    def final(self) -> Instance:
        return Instance(self.name, self.root)

    @property
    def version(self) -> str:
        return self.lines.get("VERSION", "")

    @property
    def image(self) -> str:
        return self.lines.get("IMAGE", "")

    @property
    def has_cluster(self) -> bool:
        return self.kind.has_cluster

    @property
    def keeps_data(self) -> bool:
        """Whether sockwake makes its data directory; systemd does that for a program."""
        return self.has_cluster or bool(self.values.get("mount"))

    @property
    def data_directory(self) -> str:
        """Where the data are, as the running instance will see it."""
        return self.data or self.final.data

    def is_told(self, place: str) -> bool:
        """Whether its program is told its "port", "socket" or "data"."""
        return f"{{{place}}}" in " ".join(self.words)

    def needs_port(self) -> bool:
        """Whether the backend has to have a port of the host's to itself."""
        return not self.private_port and self.is_told("port")

    def enabling(self) -> str:
        """The command that opens its port: at once, or in a tree from the next boot on."""
        how = f"--root={self.root} enable" if self.root else "enable --now"
        return scope.command("systemctl", how, self.final.socket_unit)

    def settings(self, port: int, backend_port: int = 0) -> dict[str, str]:
        """The lines of instance.env, in their order. backend_port: for a program that needs one of the host's."""
        listen = [
            option.socket_path(item, port) if item.startswith("/") and self.has_cluster else item
            for item in self.listen
        ]
        lines = {"KIND": self.kind_name, **self.lines, "LISTEN": ",".join(listen), "PORT": str(port)}
        if self.is_told("port") and not self.kind.takes_socket:
            lines.setdefault("BACKEND_PORT", str(backend_port or port))
        if self.tls:
            lines["TLS"] = "yes"
        return {key: lines[key] for key in _ORDER if key in lines}

    def files(self, port: int, password: str, backend_port: int = 0) -> dict[str, tuple[int, str]]:
        """Everything in /etc/sockwake/NAME: file name to (mode, text). No password file for password ""."""
        from sockwake.render import render  # jinja2: the errors before it should not wait for it

        settings = self.settings(port, backend_port)
        places = {
            "port": settings.get("BACKEND_PORT", str(port)),
            "socket": f"/run/sockwake-{self.name}/socket",
            "data": self.data_directory,
        }
        values = {
            "name": self.name,
            "settings": settings,
            "tls": bool(self.tls),
            "port": settings.get("BACKEND_PORT", ""),
            "ready": settings.get("READY", ""),
            "exec": option.exec_line(self.words, places),
            **self.values,
        }
        definition = self.definition or render(f"{self.kind_name}/{self.kind.definition}", values)
        files = {
            "instance.env": (0o644, render("instance.env", values)),
            self.kind.definition: (0o644, definition),
        }
        if password:
            files["password"] = (0o600, password)
        if self.tls and self.tls[0]:
            files |= {"server.crt": (0o644, self.tls[0]), "server.key": (0o600, self.tls[1])}
        if self.keeps_data and not self.adopt:
            files["uninitialised"] = (0o644, "the first wake makes what is to be in its data directory\n")
        return files


def decide(arguments: argparse.Namespace) -> Request:
    """Check every option; raises SockwakeError before anything has been touched."""
    if arguments.kind not in KINDS:
        raise SockwakeError(f"kind '{arguments.kind}' is not known: {', '.join(KINDS)}", status=USAGE)
    kind = KINDS[arguments.kind]
    if scope.is_user():
        option.require_possible_for_a_user(arguments, kind)
    given = _given(arguments, kind)
    root = checked_root(arguments.root)
    request = Request(
        name=Name(arguments.name),
        kind_name=arguments.kind,
        root=root,
        listen=[option.listen_item(item) for item in dict.fromkeys(arguments.listen or ["127.0.0.1"])],
        port=None if arguments.port is None else check_port(arguments.port),
        data=option.data_directory(given["data"]) if given.get("data") else "",
    )
    network = option.default_network(kind) if arguments.network is None else option.network(arguments.network)
    request.values["network"] = network
    if request.has_cluster:
        _decide_postgres(request, given, network)
    elif kind.definition == COMPOSE:
        _decide_container(request, given, network_given=arguments.network is not None)
    elif kind.definition == SERVICE:
        _decide_program(request, given, network)
    _decide_idle(request, arguments)
    _decide_access(request, arguments)
    if given.get("ready"):
        ready = check_ready(check_value(given["ready"], "--ready"), request.kind_name)
        request.lines["READY"] = request.values["ready"] = ready
    if given.get("client_first"):
        request.lines["CLIENT_FIRST"] = "yes"
    if "engine" in given and option.engine(given["engine"], root=root) == "podman":
        request.lines["ENGINE"] = "podman"
    if request.data or (kind.definition == COMPOSE and request.keeps_data and not request.has_cluster):
        request.lines["DATA"] = request.data_directory
    return request


def checked_root(path: str | None) -> str:
    """The system tree to work on, "" for the running system. An empty path is a variable somebody forgot to set."""
    if path is None:
        return ""
    if not os.path.isdir(path):
        raise SockwakeError(f"there is no directory '{path}'", status=USAGE)
    return os.path.realpath(path).rstrip("/")


def _given(arguments: argparse.Namespace, kind: Kind) -> dict[str, Any]:
    """The options of the kind with their values; raises SockwakeError for another kind's, and for a missing one."""
    every = {name for each in KINDS.values() for name in each.options}
    values: dict[str, Any] = dict(kind.fixed)
    for name in sorted(every):
        value = getattr(arguments, name, None)
        flag = f"--{name.replace('_', '-')}"
        if value is not None and name not in kind.options:
            theirs = " or ".join(each for each in KINDS if name in KINDS[each].options)
            raise SockwakeError(
                f"{flag} is not for an instance of kind '{arguments.kind}'", f"it is for kind {theirs}", USAGE
            )
        if value == "":
            raise SockwakeError(f"the value of {flag} is empty", status=USAGE)
        if name in kind.options:
            default = kind.options[name]
            if value is None and default is None:
                what = "which PostgreSQL? " if name == "version" and kind.has_cluster else ""
                raise SockwakeError(f"{what}{flag} is missing", _EXAMPLES.get(arguments.kind, ""), USAGE)
            values[name] = default if value is None else value
    return values


_EXAMPLES = {
    "postgres": "sockwake-new NAME --version 18",
    "command": "--exec '/path/of/program --port {port}'",
    "native": "--exec '/path/of/program'",
}


def _decide_idle(request: Request, arguments: argparse.Namespace) -> None:
    check_idle(arguments.idle)
    request.lines["IDLE"] = " ".join(arguments.idle.split())
    if arguments.check is not None:
        request.lines["CHECK"] = option.check_program(check_check(arguments.check), root=request.root)
    if arguments.check_every is not None:
        check_every(arguments.check_every)
        request.lines["CHECK_EVERY"] = " ".join(arguments.check_every.split())


def _decide_access(request: Request, arguments: argparse.Namespace) -> None:
    if arguments.allow:
        if all(item.startswith("/") for item in request.listen):
            raise SockwakeError("--allow is for IP addresses", "--socket-mode is for unix sockets", USAGE)
        networks = dict.fromkeys(option.network_of_clients(item) for item in arguments.allow)
        request.lines["ALLOW"] = ",".join(networks)
    if arguments.socket_user is not None:
        request.lines["SOCKET_USER"] = option.user(arguments.socket_user, root=request.root)
    if arguments.socket_mode is not None:
        request.lines["SOCKET_MODE"] = option.socket_mode(arguments.socket_mode)


def _decide_postgres(request: Request, given: dict[str, Any], network: str) -> None:
    major = check_version(given["version"])
    user = option.identifier(given["db_user"], "--db-user")
    database = option.identifier(given["db_name"].replace("{db_user}", user), "--db-name")
    image = option.image(given["image"].replace("{version}", given["version"]))
    request.lines |= {"VERSION": given["version"], "IMAGE": image}
    if given["tls"] or given["tls_cert"] or given["tls_key"]:
        request.tls = option.tls_pair(
            given["tls_cert"], given["tls_key"], request.listen, network=network, root=request.root
        )
    gucs = option.server_settings(list(given["set"]), given["session_idle"], major)
    request.values |= {
        "gucs": gucs | (_TLS_GUCS if request.tls else {}),
        "mount": "/var/lib/postgresql" if major >= 18 else "/var/lib/postgresql/data",
    }
    request.lines |= {"DB_USER": user, "DB_NAME": database}


def _decide_container(request: Request, given: dict[str, Any], *, network_given: bool) -> None:
    given = dict.fromkeys(("compose", "container_port", "image", "mount", "service", "version"), "") | given
    port = given["container_port"]
    if bool(given["image"]) == bool(given["compose"]):
        raise SockwakeError(
            "a container needs either --image or --compose", "--image nginx:1.26 --container-port 80", USAGE
        )
    if given["compose"]:
        if network_given or given["mount"]:
            raise SockwakeError("--network and --mount are for --image", "write it into the compose file", USAGE)
        request.definition = option.compose_file(given["compose"])
        service = check_value(given["service"], "--service")
        if not port:
            from sockwake.compose import published

            service, port, outside = published(given["compose"], service, request.port)
            request.port = outside or None
        if service:
            request.lines["SERVICE"] = service
    elif given["service"]:
        raise SockwakeError("--service is for --compose", "an image is one service", USAGE)
    elif not port:
        raise SockwakeError("--container-port is missing", "the port its server listens on, in the container", USAGE)
    else:
        image = given["image"]
        if given["version"]:
            request.lines["VERSION"] = option.version(given["version"])
            image = image.replace("{version}", given["version"])
        request.lines["IMAGE"] = option.image(image)
    request.lines["BACKEND_PORT"] = option.port_of_backend(port, "--container-port")
    request.values["mount"] = option.mount(given["mount"]) if given["mount"] else ""
    if request.data and not given["mount"] and not given["compose"]:
        raise SockwakeError("--data needs --mount", "where the directory is to be in the container", USAGE)


def _decide_program(request: Request, given: dict[str, Any], network: str) -> None:
    request.words = option.command_line(given["exec"], root=request.root)
    if network not in ("none", "host"):
        raise SockwakeError(f"a program's network is 'none' or 'host', not '{network}'", status=USAGE)
    if not request.kind.takes_socket and request.is_told("port") == request.is_told("socket"):
        raise SockwakeError(
            "--exec does not tell where the program listens", "say {port} or {socket} where it takes either", USAGE
        )
    request.private_port = network == "none"
    request.lines["DATA"] = request.data_directory
    request.values["run_as"] = option.user(given["run_as"], root=request.root) if given["run_as"] else ""
