"""The command line: what was asked, and how it ended."""

import argparse
import io
import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from sockwake import arguments as new_arguments
from sockwake import description, exposure, inventory, listing, new, removal, scope, status, systemctl, version
from sockwake.errors import USAGE, SockwakeError
from sockwake.instance import Instance, Name
from sockwake.kind import COMPOSE
from sockwake.request import Request, checked_root, decide

_EXIT_STATUS = (
    "exit status: 0 done, 1 failed, 2 bad usage, 3 name, port or data taken, 4 in use, 5 no such instance, "
    "130 interrupted"
)
_ENDINGS = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)  # a polite kill, a lost terminal, Ctrl-\\


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints look like every other error."""

    def error(self, message: str) -> NoReturn:
        raise SockwakeError(message, f"{self.prog} --help", USAGE)


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status."""
    for number in _ENDINGS:
        if signal.getsignal(number) != signal.SIG_IGN:  # by nohup(1)
            signal.signal(number, _interrupt)
    os.umask(0o022)  # modes are what the code says, whatever the administrator's habits
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a path or a name may have letters that this locale has not
            stream.reconfigure(errors="backslashreplace")
    debug = "--debug" in arguments
    try:
        parsed = _parser().parse_args(arguments)
        _choose_scope(parsed)
        parsed.run(parsed)
    except SockwakeError as error:
        problem = error
    except OSError as error:
        hint = "run this as root" if isinstance(error, PermissionError) and not scope.is_user() else ""
        what = f"cannot use {error.filename}: " if error.filename else ""
        problem = SockwakeError(f"{what}{(error.strerror or str(error)).lower()}", hint)
        problem.__cause__ = error
    except KeyboardInterrupt:
        problem = SockwakeError("interrupted; it can be run again", status=130)
    else:
        return 0
    if debug:
        import traceback

        traceback.print_exception(problem)
    with suppress(OSError):  # its terminal may be what it has lost
        print(problem, file=sys.stderr, flush=True)
    return problem.status


def _interrupt(number: int, _: object) -> NoReturn:
    """Undo what was begun, as on Ctrl-C; what comes with it, or after it, does not interrupt that, too."""
    for each in _ENDINGS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def _parser() -> Parser:
    parser = Parser(
        prog="sockwake",
        allow_abbrev=False,
        description="Databases, containers and programs that sleep until a client connects.",
        epilog=f"{_EXIT_STATUS}. See sockwake(8).",
    )
    parser.add_argument("--version", action=_Version)
    verbs = parser.add_subparsers(metavar="COMMAND", required=True)
    maker = verbs.add_parser(
        "new",
        help="make an instance",
        allow_abbrev=False,
        epilog=f"{_EXIT_STATUS}. See sockwake-new(8).",
        description="Make an instance: a PostgreSQL, or whatever else it is, "
        "whose port is always open and which runs only while clients are connected.",
    )
    maker.set_defaults(run=_new)
    new_arguments.add_to(maker)
    ls = _verb(verbs, "ls", _ls, "list the instances and their states")
    ls.add_argument("--json", action="store_true", help="as a JSON array")
    shown = _verb(verbs, "status", _status, "show all that is known of an instance")
    shown.add_argument("name", metavar="NAME")
    shown.add_argument("--json", action="store_true", help="as a JSON object")
    rm = _verb(verbs, "rm", _rm, "remove an instance; its data stay")
    rm.add_argument("name", metavar="NAME")
    rm.add_argument("--purge", action="store_true", help="delete the data too")
    compose = _verb(verbs, "compose", _compose, "run compose on an instance's container")
    compose.add_argument("name", metavar="NAME")
    compose.add_argument("arguments", metavar="ARGUMENT", nargs=argparse.REMAINDER)
    return parser


def _choose_scope(arguments: argparse.Namespace) -> None:
    """Settle whose instances this is about, for good."""
    scope.choose(user=arguments.user)
    if not arguments.user:
        return
    if not os.geteuid():
        raise SockwakeError("root's instances are the system's", "run it as the user", USAGE)
    if getattr(arguments, "root", None) is not None:
        raise SockwakeError("--user and --root exclude each other", status=USAGE)
    os.environ["XDG_RUNTIME_DIR"] = scope.runtime()
    if not systemctl.is_running():
        raise SockwakeError(
            f"systemd runs no units of yours: there is no {scope.runtime()}/systemd",
            "log in, or have it run without that: loginctl enable-linger YOUR-NAME, as root",
        )
    scope.take_places()


def _become_owner(arguments: argparse.Namespace) -> None:
    """Of what the user's containers own."""
    if arguments.user:
        from sockwake import userns

        userns.enter()


def _verb(verbs: "argparse._SubParsersAction[Parser]", name: str, run: object, text: str) -> Parser:
    verb = verbs.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        allow_abbrev=False,
        epilog=f"{_EXIT_STATUS}. See sockwake(8).",
    )
    if name != "compose":  # which is about what runs
        verb.add_argument("--root", metavar="DIR", help="work on the system tree DIR, touch nothing that runs")
    verb.add_argument("--user", action="store_true", help="of the calling user's own instances")
    verb.add_argument("--debug", action="store_true", help="show a traceback with an error")
    verb.set_defaults(run=run)
    return verb


class _Version(argparse.Action):
    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="show the version")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        print(f"sockwake {version.find()}")
        parser.exit()


def _new(arguments: argparse.Namespace) -> None:
    request = decide(arguments)
    _become_owner(arguments)
    if arguments.dry_run:
        _dry_run(request, arguments)
        return
    quiet = arguments.quiet or arguments.json
    made = new.make(
        request, provision=not arguments.no_provision, enable=arguments.enable, quiet=quiet, debug=arguments.debug
    )
    facts = description.describe(request, made)
    sys.stderr.write("" if arguments.quiet else exposure.aloud(made))
    if arguments.json:
        print(json.dumps(facts, indent=2))
    elif not arguments.quiet:
        print(description.sentences(request, made, facts, enabled=arguments.enable))


def _dry_run(request: Request, arguments: argparse.Namespace) -> None:
    inventory.require_free(request.name, request.root)
    request.adopt = new.finds_data(request)
    port = new.choose_port(request)
    secret = "(secret)\n" if request.has_cluster else ""
    request.tls = (request.tls[0], secret) if request.tls and request.tls[0] else request.tls
    files = request.files(port, "" if request.root else secret, new.choose_backend_port(request, port))
    etc = request.final.etc
    commands = (
        []
        if arguments.no_provision or request.root or request.kind.definition != COMPOSE
        else [
            f"{request.lines.get('ENGINE', 'docker')} pull {request.image}  # if it is not here",
            f"docker-compose --project-name {request.final.container} create",
        ]
    )
    if arguments.enable:
        commands.append(request.enabling())
    if arguments.json:
        shown = {f"{etc}/{name}": {"mode": f"{mode:04o}", "content": text} for name, (mode, text) in files.items()}
        print(json.dumps({"files": shown, "commands": commands}, indent=2))
        return
    for name, (mode, text) in files.items():
        print(f"# {etc}/{name} ({mode:04o})\n{text}")
    for command in commands:
        print(f"$ {command}")


def _ls(arguments: argparse.Namespace) -> None:
    rows = listing.rows(checked_root(arguments.root))
    if arguments.json:
        print(json.dumps(rows, indent=2))
    elif rows:
        print(listing.table(rows))
    else:
        print(f"There are no instances. {scope.command('sockwake-new')} NAME --version 18 makes one.")


def _status(arguments: argparse.Namespace) -> None:
    instance = Instance(Name(arguments.name), checked_root(arguments.root))
    facts = status.of(instance)
    print(json.dumps(facts, indent=2) if arguments.json else status.sentences(facts, instance, instance.settings()))


def _rm(arguments: argparse.Namespace) -> None:
    _become_owner(arguments)
    said = removal.remove(Name(arguments.name), purge=arguments.purge, root=checked_root(arguments.root))
    sentence = "; ".join(said)
    print(f"{sentence[0].upper()}{sentence[1:]}.")


def _compose(arguments: argparse.Namespace) -> None:
    from sockwake.compose import Project
    from sockwake.engine import Engine

    instance = Instance(Name(arguments.name))
    settings = instance.settings()
    project = Project(instance, settings, Engine.of(settings))
    command = project.command(*arguments.arguments)
    os.execvpe(command[0], command, os.environ | project.environment)
