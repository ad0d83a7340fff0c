"""From the options of sockwake-new to a checked Request."""

import argparse
from typing import Any

from sockwake.admin import option_types
from sockwake.admin.request import Request
from sockwake.config import scope, values
from sockwake.config.instance import Name
from sockwake.config.values import check_value
from sockwake.errors import USAGE, SockwakeError
from sockwake.kinds.table import COMPOSE, KINDS, SERVICE, Kind

_TLS_GUCS = {"listen_addresses": "127.0.0.1", "ssl": "on"}
_EXAMPLES = {
    "postgres": "sockwake-new NAME --version 18",
    "command": "--exec '/path/of/program --port {port}'",
    "native": "--exec '/path/of/program'",
}


def decide(arguments: argparse.Namespace) -> Request:
    """Check every option; raises SockwakeError before anything has been touched."""
    if arguments.kind not in KINDS:
        raise SockwakeError(
            f"kind '{arguments.kind}' is not known: {', '.join(KINDS)}", status=USAGE
        )
    kind = KINDS[arguments.kind]
    if scope.is_user():
        option_types.require_possible_for_a_user(arguments, kind)
    given = _given(arguments, kind)
    root = option_types.checked_root(arguments.root)
    request = Request(
        name=Name(arguments.name),
        kind_name=arguments.kind,
        root=root,
        listen=[
            option_types.listen_item(item)
            for item in dict.fromkeys(arguments.listen or ["127.0.0.1"])
        ],
        port=None if arguments.port is None else values.port(arguments.port),
        data=option_types.data_directory(given["data"]) if given.get("data") else "",
    )
    network = (
        option_types.default_network(kind)
        if arguments.network is None
        else option_types.network(arguments.network)
    )
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
        ready = values.ready(check_value(given["ready"], "--ready"), request.kind_name)
        request.lines["READY"] = request.values["ready"] = ready
    if given.get("client_first"):
        request.lines["CLIENT_FIRST"] = "yes"
    if "engine" in given and option_types.engine(given["engine"], root=root) == "podman":
        request.lines["ENGINE"] = "podman"
    if request.data or (
        kind.definition == COMPOSE and request.keeps_data and not request.has_cluster
    ):
        request.lines["DATA"] = request.data_directory
    return request


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
                f"{flag} is not for an instance of kind '{arguments.kind}'",
                f"it is for kind {theirs}",
                USAGE,
            )
        if value == "":
            raise SockwakeError(f"the value of {flag} is empty", status=USAGE)
        if name in kind.options:
            default = kind.options[name]
            if value is None and default is None:
                what = "which PostgreSQL? " if name == "version" and kind.has_cluster else ""
                raise SockwakeError(
                    f"{what}{flag} is missing", _EXAMPLES.get(arguments.kind, ""), USAGE
                )
            values[name] = default if value is None else value
    return values


def _decide_idle(request: Request, arguments: argparse.Namespace) -> None:
    values.idle(arguments.idle)
    request.lines["IDLE"] = " ".join(arguments.idle.split())
    if arguments.check is not None:
        request.lines["CHECK"] = option_types.check_program(
            values.check(arguments.check), root=request.root
        )
    if arguments.check_every is not None:
        values.check_every(arguments.check_every)
        request.lines["CHECK_EVERY"] = " ".join(arguments.check_every.split())


def _decide_access(request: Request, arguments: argparse.Namespace) -> None:
    if arguments.allow:
        if all(item.startswith("/") for item in request.listen):
            raise SockwakeError(
                "--allow is for IP addresses", "--socket-mode is for unix sockets", USAGE
            )
        networks = dict.fromkeys(option_types.network_of_clients(item) for item in arguments.allow)
        request.lines["ALLOW"] = ",".join(networks)
    if arguments.socket_user is not None:
        request.lines["SOCKET_USER"] = option_types.user(arguments.socket_user, root=request.root)
    if arguments.socket_mode is not None:
        request.lines["SOCKET_MODE"] = option_types.socket_mode(arguments.socket_mode)


def _decide_postgres(request: Request, given: dict[str, Any], network: str) -> None:
    major = values.version(given["version"])
    user = option_types.identifier(given["db_user"], "--db-user")
    database = option_types.identifier(given["db_name"].replace("{db_user}", user), "--db-name")
    image = option_types.image(given["image"].replace("{version}", given["version"]))
    request.lines |= {"VERSION": given["version"], "IMAGE": image}
    if given["tls"] or given["tls_cert"] or given["tls_key"]:
        request.tls = option_types.tls_pair(
            given["tls_cert"], given["tls_key"], request.listen, network=network, root=request.root
        )
    gucs = option_types.server_settings(list(given["set"]), given["session_idle"], major)
    request.values |= {
        "gucs": gucs | (_TLS_GUCS if request.tls else {}),
        "mount": "/var/lib/postgresql" if major >= 18 else "/var/lib/postgresql/data",
    }
    request.lines |= {"DB_USER": user, "DB_NAME": database}


def _decide_container(request: Request, given: dict[str, Any], *, network_given: bool) -> None:
    given = (
        dict.fromkeys(("compose", "container_port", "image", "mount", "service", "version"), "")
        | given
    )
    port = given["container_port"]
    if bool(given["image"]) == bool(given["compose"]):
        raise SockwakeError(
            "a container needs either --image or --compose",
            "--image nginx:1.26 --container-port 80",
            USAGE,
        )
    if given["compose"]:
        if network_given or given["mount"]:
            raise SockwakeError(
                "--network and --mount are for --image", "write it into the compose file", USAGE
            )
        request.definition = option_types.compose_file(given["compose"])
        service = check_value(given["service"], "--service")
        if not port:
            from sockwake.engine.compose import published

            service, port, outside = published(given["compose"], service, request.port)
            request.port = outside or None
        if service:
            request.lines["SERVICE"] = service
    elif given["service"]:
        raise SockwakeError("--service is for --compose", "an image is one service", USAGE)
    elif not port:
        raise SockwakeError(
            "--container-port is missing", "the port its server listens on, in the container", USAGE
        )
    else:
        image = given["image"]
        if given["version"]:
            request.lines["VERSION"] = option_types.version(given["version"])
            image = image.replace("{version}", given["version"])
        request.lines["IMAGE"] = option_types.image(image)
    request.lines["BACKEND_PORT"] = option_types.port_of_backend(port, "--container-port")
    request.values["mount"] = option_types.mount(given["mount"]) if given["mount"] else ""
    if request.data and not given["mount"] and not given["compose"]:
        raise SockwakeError(
            "--data needs --mount", "where the directory is to be in the container", USAGE
        )


def _decide_program(request: Request, given: dict[str, Any], network: str) -> None:
    request.words = option_types.command_line(given["exec"], root=request.root)
    if network not in ("none", "host"):
        raise SockwakeError(
            f"a program's network is 'none' or 'host', not '{network}'", status=USAGE
        )
    if not request.kind.takes_socket and request.is_told("port") == request.is_told("socket"):
        raise SockwakeError(
            "--exec does not tell where the program listens",
            "say {port} or {socket} where it takes either",
            USAGE,
        )
    request.private_port = network == "none"
    request.lines["DATA"] = request.data_directory
    request.values["run_as"] = (
        option_types.user(given["run_as"], root=request.root) if given["run_as"] else ""
    )
