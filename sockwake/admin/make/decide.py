"""From the checked options of sockwake-new to a Request: what only all of them together can say."""

from argparse import Namespace

from sockwake.admin import option_types
from sockwake.admin.make import claims, environment, host, project, secret, server
from sockwake.admin.make.defaults import settle, take_from_file
from sockwake.admin.make.new_options import OPTIONS
from sockwake.admin.make.origin import Origin
from sockwake.admin.make.request import Request
from sockwake.config import scope, values
from sockwake.errors import USAGE, SockwakeError
from sockwake.kinds.table import COMPOSE, CRUN, ENGINE, HOST, KINDS, SERVICE
from sockwake.postgres import cluster

_CONTAINER, _PROJECT = "container", "project"
_TLS_GUCS = {"listen_addresses": "127.0.0.1", "ssl": "on"}


def decide(arguments: Namespace) -> Request:
    """The Request of parsed arguments; raises SockwakeError before anything has been touched."""
    arguments.origins = take_from_file(arguments)
    if arguments.compose and arguments.kind in (None, _CONTAINER) and not scope.is_user():
        _require_container(arguments)
        arguments.kind = _PROJECT
    addresses = arguments.listen or []  # as asked for, without the default
    origin = _origin(arguments)
    settle(arguments)
    kind = KINDS[arguments.kind]
    if scope.is_user():
        host.require_possible_for_a_user(arguments, kind)
    if arguments.data:
        claims.require_no_system_place(arguments.data)
    request = Request(
        name=arguments.name,
        kind_name=arguments.kind,
        root=arguments.root or "",
        listen=list(dict.fromkeys(arguments.listen)),
        port=arguments.port,
        data=arguments.data or "",
        lines=_lines(arguments),
        origin=origin,
    )
    asked_for = arguments.runtime or (ENGINE if arguments.engine else CRUN)
    by_engine = asked_for == ENGINE or CRUN not in kind.runtimes
    network = arguments.network or host.default_network(kind, by_engine=by_engine)
    request.values["network"] = network
    if request.has_cluster:
        _decide_postgres(request, arguments, network)
    elif kind.definition == COMPOSE:
        _decide_container(request, arguments, network)
    elif kind.definition == SERVICE:
        _decide_program(request, arguments, network)
    elif kind.has_several_ports:
        project.decide(request, arguments, addresses)
    if request.definition_file == COMPOSE:
        from sockwake.admin.make import engine_choice  # 10 ms that no other command needs

        wanted = engine_choice.of_container(request, network)
        engine_choice.settle(request, arguments.engine, wanted)
    request.archive = _archive(request, arguments)
    if arguments.env or arguments.env_file:
        request.environment = environment.text(arguments, request)
    _require_what_is_named(request, arguments)
    keeps_data = request.data or (request.keeps_data and not request.has_cluster)
    if kind.definition == COMPOSE and keeps_data:
        request.lines["DATA"] = request.data_directory
    return request


def _origin(arguments: Namespace) -> Origin | None:
    """What --from names; None without it."""
    if not vars(arguments)["from"] or arguments.kind not in (None, "postgres"):
        return None  # another kind has no such option
    from sockwake.admin.make import start_from

    return start_from.given(arguments)


def _settle_origin(request: Request, arguments: Namespace) -> None:
    if request.origin:
        from sockwake.admin.make import start_from

        start_from.decide(request, request.origin, arguments)


def _archive(request: Request, arguments: Namespace) -> str:
    """The path of the archive for a tree; raises SockwakeError (usage) where there is no use."""
    if not arguments.image_archive:
        return ""
    if not request.root:
        load = scope.command("sockwake images load", arguments.image_archive)
        raise SockwakeError(
            "--image-archive is for a tree (--root), and this is the system that runs",
            f"{load}, and then {scope.command('sockwake-new')} without it",
            USAGE,
        )
    if request.runtime == HOST:
        raise SockwakeError(
            "--image-archive is for a container, and --runtime host runs the host's own server",
            "install the package of the server into the tree",
            USAGE,
        )
    return str(arguments.image_archive)


def _lines(arguments: Namespace) -> dict[str, str]:
    """The lines of instance.env that are options as they were given."""
    given = {option.key: getattr(arguments, option.name) for option in OPTIONS if option.key}
    of_host = {"RUNTIME": HOST} if arguments.runtime == HOST else {}
    return {key: _line(value) for key, value in given.items() if value} | of_host


def _line(value: object) -> str:
    if isinstance(value, list):
        return ",".join(dict.fromkeys(map(str, value)))
    return "yes" if value is True else str(value)


def _require_what_is_named(request: Request, arguments: Namespace) -> None:
    """Raise SockwakeError when kind, addresses or host do not fit what is asked for."""
    if arguments.ready:
        values.ready(arguments.ready, request.kind_name)
    if arguments.check:
        host.require_check(arguments.check, request.root)
    for user in (arguments.socket_user, arguments.run_as):
        if user:
            host.require_user(user, request.root)
    host.require_filtered(arguments.allow or (), request.listen)


def _decide_postgres(request: Request, arguments: Namespace, network: str) -> None:
    major = values.version(arguments.version)
    request.lines["DB_NAME"] = arguments.db_name or arguments.db_user
    if request.runtime == HOST:
        server.require_possible(request, arguments, network)
    else:
        _decide_image(request, arguments)
    if arguments.tls or arguments.tls_cert or arguments.tls_key:
        request.tls = host.tls_pair(
            arguments.tls_cert or "",
            arguments.tls_key or "",
            request.listen,
            network=network,
            root=request.root,
        )
    gucs = option_types.server_settings(arguments.set, arguments.session_idle, major)
    request.values["gucs"] = gucs | (_TLS_GUCS if request.tls else {})
    request.values["mount"] = cluster.mount(major)
    if request.runtime == HOST:
        server.decide(request)
    elif _runtime(arguments, network) == CRUN:
        request.lines["RUNTIME"] = CRUN
    if arguments.password_file:
        secret.take(request, arguments.password_file)
    _settle_origin(request, arguments)
    request.fix_hba = bool(arguments.fix_hba)
    if request.fix_hba and (arguments.no_provision or request.root):
        raise SockwakeError(
            "--fix-hba mends a cluster that is tried out",
            "leave out --no-provision and --root",
            USAGE,
        )


def _runtime(arguments: Namespace, network: str) -> str:
    """What wakes a container: crun unless it needs an engine, or one is asked for."""
    from sockwake.lifecycle import needs_engine  # 3 ms, which no other command needs

    tls = bool(arguments.tls or arguments.tls_cert or arguments.tls_key)
    why = needs_engine.by_kind(arguments.kind) or needs_engine.by_network(network, tls=tls)
    if arguments.runtime == CRUN and why:
        raise SockwakeError(f"crun cannot wake it: {why}", "leave out --runtime", USAGE)
    return arguments.runtime or (ENGINE if why or arguments.engine else CRUN)


def _decide_image(request: Request, arguments: Namespace) -> None:
    if not arguments.image:
        image = request.kind.image.replace("{version}", arguments.version or "")
        request.lines["IMAGE"] = option_types.image(image)


def _decide_container(request: Request, arguments: Namespace, network: str) -> None:
    if arguments.runtime == HOST:
        raise SockwakeError(
            "--runtime host is for a PostgreSQL", "a program of the host is of kind command", USAGE
        )
    if bool(arguments.image or request.kind.image) == bool(arguments.compose):
        raise SockwakeError(
            "a container needs either --image or --compose",
            "--image nginx:1.26 --container-port 80",
            USAGE,
        )
    if arguments.compose:
        _decide_compose(request, arguments)
    elif arguments.service:
        raise SockwakeError("--service is for --compose", "an image is one service", USAGE)
    elif not arguments.container_port:
        raise SockwakeError(
            "--container-port is missing", "the port its server listens on, in the container", USAGE
        )
    else:
        _decide_image(request, arguments)
    if not arguments.compose and _runtime(arguments, network) == CRUN:
        request.lines["RUNTIME"] = CRUN
    request.values["mount"] = arguments.mount or ""
    if request.data and not arguments.mount and not arguments.compose:
        raise SockwakeError(
            "--data needs --mount", "where the directory is to be in the container", USAGE
        )


def _require_container(arguments: Namespace) -> None:
    """Raise SockwakeError (usage) for options that a compose file has itself."""
    if arguments.image:
        raise SockwakeError(
            "a container needs either --image or --compose",
            "--image nginx:1.26 --container-port 80",
            USAGE,
        )
    if arguments.network or arguments.mount:
        raise SockwakeError(
            "--network and --mount are for --image", "write it into the compose file", USAGE
        )


def _decide_compose(request: Request, arguments: Namespace) -> None:
    """Take over a user's compose file, and the port that it publishes unless one is given."""
    _require_container(arguments)
    request.definition = host.compose_file(arguments.compose)
    if arguments.container_port:
        return
    from sockwake.engine.compose import published

    service, port, outside = published(arguments.compose, arguments.service or "", request.port)
    request.port = outside or None
    request.lines["BACKEND_PORT"] = str(option_types.container_port(port))
    if service:
        request.lines["SERVICE"] = service


def _decide_program(request: Request, arguments: Namespace, network: str) -> None:
    request.words = arguments.exec
    host.require_program(request.words[0], request.root)
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
    request.values["run_as"] = arguments.run_as or ""
