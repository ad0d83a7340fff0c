"""The verbs that get at what is in an instance."""

import json
import sys
from argparse import Namespace

from sockwake.admin import inventory
from sockwake.admin.operands import names as names_of
from sockwake.admin.option import DEBUG, FILES, JSON, QUIET, ROOT, USER, Option
from sockwake.admin.parser import Verb
from sockwake.config import scope, values
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import load, load_if_valid
from sockwake.errors import UNKNOWN, USAGE, SockwakeError


def _psql(arguments: Namespace) -> None:
    from sockwake.admin.access import addresses, client, rotation

    instance = Instance(arguments.name)
    settings = load(instance)
    addresses.require_postgres(instance, settings)
    client.require_psql(instance, settings)
    rotation.settle_begun(instance, settings)
    words = arguments.rest[1:] if arguments.rest[:1] == ["--"] else arguments.rest
    sys.exit(client.at_terminal(instance, settings, words))


def _is_postgres(instance: Instance) -> bool:
    """Whether a wildcard means this instance, where only a PostgreSQL can be meant."""
    settings = load_if_valid(instance)
    return bool(settings and settings.has_cluster)


def _is_valid(instance: Instance) -> bool:
    """Whether a wildcard means this instance, where its settings have to be known."""
    return load_if_valid(instance) is not None


def _dsn(arguments: Namespace) -> None:
    from sockwake.admin.access import addresses
    from sockwake.admin.each import try_each

    found: list[dict[str, object]] = []
    root, fits = arguments.root or "", _is_postgres if arguments.password else _is_valid

    def one(name: Name) -> None:
        instance = Instance(name, root)
        every = addresses.uris(instance, load(instance), with_password=arguments.password)
        found.append({"name": name, "dsn": every[0], "dsns": every})
        if not arguments.json:
            print(every[0], flush=True)

    problem = try_each(names_of(arguments.names, root, fits=fits), one)
    if arguments.json:
        print(json.dumps(found, indent=2))
    if problem:
        raise SockwakeError("not all of them can be told", status=problem.status)


def _env(arguments: Namespace) -> None:
    from sockwake.admin.access import variables

    instance = Instance(arguments.name, arguments.root or "")
    settings, service = load(instance), arguments.service or ""
    found = variables.variables(
        instance,
        settings,
        with_password=arguments.password,
        service=service,
        port=arguments.port or 0,
    )
    if arguments.json:
        print(json.dumps(found, indent=2))
    else:
        print(variables.script(found) + variables.others(settings, found))


def _logs(arguments: Namespace) -> None:
    from sockwake.admin.access import logs, terminal
    from sockwake.system import process

    instances = [Instance(name) for name in names_of(arguments.names)]
    for instance in instances:
        if not inventory.exists(instance):
            log = scope.command("journalctl", "-u", instance.backend_unit)
            raise SockwakeError(
                f"there is no instance '{instance.name}'", f"of one that was: {log}", UNKNOWN
            )
    command = logs.command(
        instances,
        follow=arguments.follow,
        since=arguments.since or "",
        until=arguments.until or "",
        lines=arguments.lines or "",
        pager=not arguments.no_pager,
    )
    process.take_over(command, terminal.environment())


def _exec(arguments: Namespace) -> None:
    from sockwake.admin.access import inside

    if not arguments.command:
        raise SockwakeError(
            "say which command",
            scope.command("sockwake exec", arguments.name, "--", "COMMAND"),
            USAGE,
        )
    instance = Instance(arguments.name)
    settings, service = load(instance), arguments.service or ""
    sys.exit(inside.execute(instance, settings, arguments.command, service=service))


def _passwd(arguments: Namespace) -> None:
    from sockwake.admin.access import rotation
    from sockwake.admin.each import do_to_each

    names = names_of(arguments.names, fits=_is_postgres)
    new = rotation.given(arguments.password_file) if arguments.password_file else ""

    def one(name: Name) -> str:
        return rotation.rotate(name, new)

    do_to_each(names, one, "changed", quiet=arguments.quiet)


def _lines(text: str) -> str:
    """How many lines journalctl is to show."""
    if text != "all" and not (text.isascii() and text.isdigit()):
        raise SockwakeError(f"'{text}' is no number of lines", "or all", USAGE)
    return text


VERBS = (
    Verb(
        "psql",
        _psql,
        "run psql on a PostgreSQL, which wakes it",
        (USER, DEBUG),
        description="Run psql on a PostgreSQL, which wakes it, as the user and with the password "
        "that it was made with.",
        has_name=True,
        rest="ARGUMENT",
    ),
    Verb(
        "dsn",
        _dsn,
        "print the URI by which an instance is reached",
        (Option("--password", help="with the password"), JSON, ROOT, USER, DEBUG),
        names="instances",
    ),
    Verb(
        "env",
        _env,
        "print variables for a shell, which lead programs to an instance",
        (
            Option("--password", help="the password itself, and not a file with it"),
            Option("--service", "SERVICE", "of a compose project: the port of this service"),
            Option("--port", "N", "that leads to port N in its container", type=values.port),
            JSON,
            ROOT,
            USER,
            DEBUG,
        ),
        description='Print variables that lead programs to an instance: eval "$(sockwake env pg1)"',
        has_name=True,
    ),
    Verb(
        "logs",
        _logs,
        "show what all units of instances have written to the journal",
        (
            Option("--follow", help="go on with what is written from now on", short="-f"),
            Option("--lines", "N", "only the last N lines", type=_lines, short="-n"),
            Option("--since", "TIME", "from this time on, as in 'yesterday' or -1h"),
            Option("--until", "WHEN", "to this time"),
            Option("--no-pager", help="without a pager"),
            USER,
            DEBUG,
        ),
        names="instances",
    ),
    Verb(
        "exec",
        _exec,
        "run a command in an instance's container, which wakes it",
        (Option("--service", "SERVICE", "in which service of a compose project"), USER, DEBUG),
        description="Run a command in an instance's container, which is woken and kept awake as "
        "long as the command runs.",
        has_name=True,
        command="COMMAND",
    ),
    Verb(
        "passwd",
        _passwd,
        "give a PostgreSQL another password",
        (
            Option(
                "--password-file",
                "FILE",
                "the first line of FILE, or of stdin for -",
                complete=FILES,
            ),
            QUIET,
            USER,
            DEBUG,
        ),
        description="Give a PostgreSQL another password, a random one: in the database and in its "
        "file, or in neither. It is woken for that.",
        names="instances",
    ),
)
