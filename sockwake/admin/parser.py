"""The command line, for argparse; what its options may say is for decide and option_types to check."""

import argparse
from argparse import ArgumentParser, _ArgumentGroup
from collections.abc import Sequence
from typing import NoReturn

from sockwake.admin import version
from sockwake.errors import USAGE, SockwakeError
from sockwake.kinds.table import KINDS

_EXIT_STATUS = (
    "exit status: 0 done, 1 failed, 2 bad usage, 3 name, port or data taken, 4 in use, 5 no such instance, "
    "130 interrupted"
)


def add_to(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="a-z, 0-9 and '-', starting with a letter")
    where = parser.add_argument_group("where clients find it")
    where.add_argument(
        "--listen",
        metavar="ADDR",
        action="append",
        help="an IP address, or the directory or path of a unix socket; repeatable (default: 127.0.0.1)",
    )
    where.add_argument("--port", metavar="N", help="default: the next free one from 25432")
    where.add_argument(
        "--allow",
        metavar="CIDR",
        action="append",
        help="close its port to all other addresses; repeatable (default: any)",
    )
    where.add_argument(
        "--socket-user", metavar="USER", help="the owner of a unix socket (default: root)"
    )
    where.add_argument(
        "--socket-mode", metavar="MODE", help="the mode of a unix socket (default: 0666)"
    )
    _add_kinds(parser)
    _add_sleep(parser.add_argument_group("when it sleeps"))
    how = parser.add_argument_group("how it is made")
    how.add_argument("--enable", action="store_true", help="enable and start its socket, too")
    how.add_argument(
        "--no-provision",
        action="store_true",
        help="only write the files; the first wake does the rest",
    )
    how.add_argument(
        "--root", metavar="DIR", help="write into the system tree DIR, touch nothing that runs"
    )
    how.add_argument(
        "--user", action="store_true", help="make it the calling user's own, in his podman"
    )
    how.add_argument(
        "--dry-run", action="store_true", help="show every file and command, change nothing"
    )
    how.add_argument("--json", action="store_true", help="say what was made as JSON")
    how.add_argument("--quiet", action="store_true", help="say nothing but errors")
    how.add_argument(
        "--debug", action="store_true", help="show the server's log, and a traceback with an error"
    )


def _add_kinds(parser: ArgumentParser) -> None:
    what = parser.add_argument_group("what it is")
    what.add_argument(
        "--kind", metavar="KIND", default="postgres", help=f"{', '.join(KINDS)} (default: postgres)"
    )
    what.add_argument(
        "--network",
        metavar="NET",
        help="the network for its own connections: a container's, or host (default: none; of a container bridge)",
    )
    what.add_argument(
        "--ready",
        metavar="PROOF",
        help="http:/PATH or tcp; notify or start for a native one (default: as its kind; not for postgres)",
    )
    what.add_argument(
        "--client-first",
        action="store_const",
        const=True,
        help="its clients speak first: who says nothing does not wake it (known of postgres and HTTP)",
    )
    server = parser.add_argument_group("of kind postgres")
    server.add_argument("--version", metavar="N", help="its version, as in 18; must be given")
    server.add_argument("--db-user", metavar="USER", help="the superuser (default: postgres)")
    server.add_argument(
        "--db-name", metavar="DB", help="the first database (default: the same as the user)"
    )
    server.add_argument(
        "--set", metavar="GUC=VALUE", action="append", help="a server setting; repeatable"
    )
    server.add_argument(
        "--tls", action="store_const", const=True, help="offer TLS, with a self-signed certificate"
    )
    server.add_argument(
        "--tls-cert", metavar="FILE", help="offer TLS with this certificate (PEM, with its chain)"
    )
    server.add_argument(
        "--tls-key", metavar="FILE", help="the key of --tls-cert (PEM, no passphrase)"
    )
    either = parser.add_argument_group("of kinds postgres and container")
    either.add_argument(
        "--image", metavar="REF", help="what it is made of (default of a PostgreSQL: postgres:N)"
    )
    either.add_argument(
        "--data",
        metavar="DIR",
        help="default: /var/lib/sockwake/NAME; a cluster in there is adopted",
    )
    either.add_argument(
        "--engine", metavar="ENGINE", help="docker or podman (default: which is installed)"
    )
    container = parser.add_argument_group("of kind container")
    container.add_argument(
        "--container-port", metavar="N", help="the port of the server in the container"
    )
    container.add_argument("--compose", metavar="FILE", help="a compose file, instead of --image")
    container.add_argument(
        "--service", metavar="NAME", help="which of its services (default: the one with a port)"
    )
    container.add_argument(
        "--mount", metavar="DIR", help="where the container finds the data directory"
    )
    program = parser.add_argument_group("of kinds command and native")
    program.add_argument(
        "--exec", metavar="COMMAND", help="the program; {port}, {socket} and {data} are filled in"
    )
    program.add_argument(
        "--run-as",
        metavar="USER",
        help="the program's user (default: one of its own, DynamicUser=)",
    )


def _add_sleep(sleep: _ArgumentGroup) -> None:
    sleep.add_argument(
        "--idle",
        metavar="TIME",
        default="3min",
        help="after the last client has gone (default: 3min)",
    )
    sleep.add_argument(
        "--session-idle",
        metavar="TIME",
        help="let a PostgreSQL end sessions that are idle this long (default: 15min, 0: never)",
    )
    sleep.add_argument(
        "--check",
        metavar="PROGRAM",
        help="ask it whether the instance may sleep; or builtin, or none (default: as its kind)",
    )
    sleep.add_argument(
        "--check-every", metavar="TIME", help="default: 30s, or the idle time if that is shorter"
    )


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints look like every other error."""

    def error(self, message: str) -> NoReturn:
        raise SockwakeError(message, f"{self.prog} --help", USAGE)


def build() -> Parser:
    parser = Parser(
        prog="sockwake",
        allow_abbrev=False,
        description="Databases, containers and programs that sleep until a client connects.",
        epilog=f"{_EXIT_STATUS}. See sockwake(8).",
    )
    parser.add_argument("--version", action=_Version)
    verbs = parser.add_subparsers(metavar="COMMAND", dest="verb", required=True)
    maker = verbs.add_parser(
        "new",
        help="make an instance",
        allow_abbrev=False,
        epilog=f"{_EXIT_STATUS}. See sockwake-new(8).",
        description="Make an instance: a PostgreSQL, or whatever else it is, "
        "whose port is always open and which runs only while clients are connected.",
    )
    add_to(maker)
    ls = _verb(verbs, "ls", "list the instances and their states")
    ls.add_argument("--json", action="store_true", help="as a JSON array")
    shown = _verb(verbs, "status", "show all that is known of an instance")
    shown.add_argument("name", metavar="NAME")
    shown.add_argument("--json", action="store_true", help="as a JSON object")
    rm = _verb(verbs, "rm", "remove an instance; its data stay")
    rm.add_argument("name", metavar="NAME")
    rm.add_argument("--purge", action="store_true", help="delete the data too")
    compose = _verb(verbs, "compose", "run compose on an instance's container")
    compose.add_argument("name", metavar="NAME")
    compose.add_argument("arguments", metavar="ARGUMENT", nargs=argparse.REMAINDER)
    return parser


def _verb(verbs: "argparse._SubParsersAction[Parser]", name: str, text: str) -> Parser:
    verb = verbs.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        allow_abbrev=False,
        epilog=f"{_EXIT_STATUS}. See sockwake(8).",
    )
    if name != "compose":  # which is about what runs
        verb.add_argument(
            "--root", metavar="DIR", help="work on the system tree DIR, touch nothing that runs"
        )
    verb.add_argument("--user", action="store_true", help="of the calling user's own instances")
    verb.add_argument("--debug", action="store_true", help="show a traceback with an error")
    return verb


class _Version(argparse.Action):
    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="show the version")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        print(f"sockwake {version.find()}")
        parser.exit()
