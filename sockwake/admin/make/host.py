"""What options name, looked for on this host, or in the system tree root when there is one."""

import argparse
import os
import pwd
from collections.abc import Sequence

from sockwake.config import scope
from sockwake.errors import USAGE, SockwakeError, reason
from sockwake.kinds.table import COMPOSE, NONE, Kind
from sockwake.postgres import tls
from sockwake.system import safe_path


def require_user(name: str, root: str) -> None:
    """Raise SockwakeError when this host has no such user; of a tree's users nothing is known."""
    if root:
        return
    try:
        pwd.getpwnam(name)
    except KeyError:
        raise SockwakeError(f"there is no user '{name}'", status=USAGE) from None


def require_filtered(allow: Sequence[str], listen: Sequence[str], *, option: bool = True) -> None:
    """Raise SockwakeError (usage) when only unix sockets have a filter of addresses.

    option: whether the options of sockwake-new are named, and not the keys of instance.env.
    """
    if allow and all(item.startswith("/") for item in listen):
        filters, mode = ("--allow", "--socket-mode") if option else ("ALLOW", "SOCKET_MODE")
        raise SockwakeError(f"{filters} is for IP addresses", f"{mode} is for unix sockets", USAGE)


def require_program(path: str, root: str) -> None:
    """Raise SockwakeError unless path is a program that can be run."""
    if not os.access(root + path, os.X_OK) or os.path.isdir(root + path):
        raise SockwakeError(f"{path} is not a program", status=USAGE)


def require_check(text: str, root: str) -> None:
    """Raise SockwakeError when the value of --check is a path that root cannot run safely."""
    if text.startswith("/"):
        require_program(text, root)
        if not root:
            safe_path.require_program(text, "check")


def compose_file(path: str) -> str:
    """The text of a compose file."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        why = reason(error) if isinstance(error, OSError) else "it is not UTF-8"
        raise SockwakeError(f"cannot read {path}: {why}", status=USAGE) from None


def default_network(kind: Kind, *, by_engine: bool) -> str:
    """The value of --network when it is not given: rootless podman has no bridge but pasta.

    by_engine: whether an engine is asked for; without one there is no bridge.
    """
    if scope.is_user():
        return "pasta" if kind.network == "bridge" else kind.network
    return kind.network if by_engine else NONE


def require_possible_for_a_user(arguments: argparse.Namespace, kind: Kind) -> None:
    """Raise SockwakeError when a user's own systemd and podman cannot do what is asked for."""
    if kind.definition != COMPOSE:
        raise SockwakeError("a user's own instance is of kind postgres or container", status=USAGE)
    if arguments.engine == "docker":
        raise SockwakeError("a user's own instance runs in podman", "leave out --engine", USAGE)
    if arguments.allow:
        raise SockwakeError(
            "a user's own systemd cannot filter addresses", "leave out --allow", USAGE
        )
    if arguments.socket_user is not None:
        raise SockwakeError(
            "the socket of a user's own instance is the user's", "leave out --socket-user", USAGE
        )


def tls_pair(
    certificate: str, key: str, listen: list[str], *, network: str, root: str
) -> tuple[str, str]:
    """The texts of certificate and key; ("", "") in a tree, each machine of which makes its own.

    certificate, key: paths, "" for a pair that is made here for the addresses of listen.
    """
    if network == "host":
        raise SockwakeError(
            "TLS needs a network namespace of the container's own",
            "leave out --network host",
            USAGE,
        )
    if bool(certificate) != bool(key):
        raise SockwakeError(
            "--tls-cert and --tls-key belong together", "--tls alone makes a certificate", USAGE
        )
    if certificate:
        return tls.read_pair(certificate, key)
    return ("", "") if root else tls.self_signed(listen)
