"""A PostgreSQL of the host for sockwake-new: whether it can be, and what systemd runs."""

from argparse import Namespace

from sockwake.admin import option_types
from sockwake.admin.make.request import Request
from sockwake.config import scope, values
from sockwake.config.settings import pgdata
from sockwake.errors import USAGE, SockwakeError
from sockwake.kinds.table import HOST
from sockwake.postgres import host_server

_PROGRAM = "/usr/libexec/sockwake/server"
_SOCKET_DIRECTORY = "/run/postgresql"  # as its sandbox has it


def require_possible(request: Request, arguments: Namespace, network: str) -> None:
    """Raise SockwakeError (usage) for what only a container has, or without the server."""
    if scope.is_user():
        raise SockwakeError(
            "a user's own instance runs in podman: the host's server needs a sandbox of root's",
            "leave out --runtime",
            USAGE,
        )
    for flag, given in (("--image", arguments.image), ("--engine", arguments.engine)):
        if given:
            raise SockwakeError(
                f"{flag} is for a container, and --runtime host runs the host's own server",
                f"leave out {flag}, or --runtime host",
                USAGE,
            )
    if network not in ("none", "host"):
        raise SockwakeError(
            f"the network of the host's server is 'none' or 'host', not '{network}'", status=USAGE
        )
    if not request.root:  # a tree gets the package when it gets it
        host_server.require_installed(values.version(request.version))


def adopt(request: Request, cluster: str) -> None:
    """Have a cluster that is there served as its owner, if the host's server is to serve it."""
    if request.runtime == HOST:
        request.values["run_as"] = host_server.owner(cluster)


def decide(request: Request) -> None:
    """Fill in what its service.conf has."""
    major = values.version(request.version)
    data = request.data_directory
    gucs = request.values["gucs"]
    assert isinstance(gucs, dict)
    ours = {"unix_socket_directories": _SOCKET_DIRECTORY, "port": "5432"}
    words = [_PROGRAM, data, f"{host_server.binaries(major)}/postgres", "-D", pgdata(data, major)]
    for guc, value in (gucs | ours).items():
        words += ["-c", f"{guc}={value}"]
    request.values |= {
        "exec": option_types.exec_line(words, {}),
        "run_as": host_server.USER,
        "data": option_types.unit_path(f"-{data}"),  # of what is wrong with it bin/host tells
    }
