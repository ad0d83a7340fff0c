"""The verbs that give instances, or copies of them, another name."""

from argparse import Namespace

from sockwake.admin import option_types, own
from sockwake.admin.option import DEBUG, DIRECTORIES, QUIET, ROOT, USER, Option
from sockwake.admin.parser import NEW, Verb
from sockwake.admin.words import capital
from sockwake.config import timespan, values
from sockwake.config.instance import Instance, Name
from sockwake.errors import USAGE, SockwakeError


def _copy(arguments: Namespace) -> None:
    from sockwake.admin.change import copy

    to = Name(arguments.new)
    own.enter(arguments)
    wish = copy.Wish(
        port=arguments.port or 0,
        data=arguments.data or "",
        keeps_password=arguments.keep_password,
        ttl=arguments.ttl or 0.0,
        quiet=arguments.quiet,
    )
    if wish.ttl and arguments.root:
        raise SockwakeError("a copy in a tree has no time at which it goes", status=USAGE)
    root, timestamp = arguments.root or "", getattr(arguments, "from")  # a word of Python's
    if timestamp:
        from sockwake.admin.backup import again

        said = again.make(Instance(arguments.name, root), timestamp, to, wish)
    else:
        said = copy.copy(arguments.name, to, wish, root=root)
    if not arguments.quiet:
        print(f"{capital(said)}.")


def _rename(arguments: Namespace) -> None:
    from sockwake.admin.change import rename

    to = Name(arguments.new)
    own.enter(arguments)
    said = rename.rename(arguments.name, to, root=arguments.root or "")
    print(f"{said}.")


def _ttl(text: str) -> float:
    seconds = timespan.parse(text)
    if not _SHORTEST <= seconds < timespan.INFINITY:
        raise SockwakeError(f"a copy cannot go after '{text}'", "say 1min or longer", USAGE)
    return seconds


_SHORTEST = 60  # seconds

VERBS = (
    Verb(
        "copy",
        _copy,
        "make a copy of an instance that sleeps",
        (
            Option("--port", "N", "the TCP port of the copy", type=values.port),
            Option(
                "--data",
                "DIR",
                "its data directory",
                type=option_types.data_path,
                plain=True,
                complete=DIRECTORIES,
            ),
            Option("--keep-password", help="have the copy's cluster keep the password"),
            Option("--from", "TIMESTAMP", "of this backup", otherwise="of the instance as it is"),
            Option("--ttl", "TIME", "remove the copy and its data after so long", type=_ttl),
            QUIET,
            ROOT,
            USER,
            DEBUG,
        ),
        description="Make a copy of an instance that sleeps, with its data, and with port, "
        "password and certificate of its own.",
        has_name=True,
        operands=(NEW,),
    ),
    Verb(
        "rename",
        _rename,
        "give an instance that sleeps another name",
        (ROOT, USER, DEBUG),
        description="Give an instance that sleeps another name. Its clients go on finding it at "
        "its port.",
        has_name=True,
        operands=(NEW,),
    ),
)
