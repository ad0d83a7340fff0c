"""The command line's parser, made of the declarations of verbs and options."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from sockwake.admin import version
from sockwake.admin.option import Option
from sockwake.config.instance import Name
from sockwake.errors import USAGE, SockwakeError

_EXIT_STATUS = (
    "exit status: 0 done, 1 failed, 2 bad usage, 3 name, port or data taken, 4 in use, "
    "5 no such instance, 130 interrupted"
)


@dataclass(frozen=True)
class Verb:
    """One verb of sockwake(8).

    run: what it does with its parsed arguments. help: its line in the list of verbs. description:
        the sentence in its own --help, made of help if "". has_name: it takes the NAME of an
        instance; of one that there is, unless makes_name. rest: the metavar of arguments that are
        another program's.
    """

    name: str
    run: Callable[[argparse.Namespace], None]
    help: str
    options: tuple[Option, ...]
    description: str = ""
    has_name: bool = False
    makes_name: bool = False
    rest: str = ""
    manual: str = "sockwake(8)"


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints look like every other error."""

    def error(self, message: str) -> NoReturn:
        raise SockwakeError(message, f"{self.prog} --help", USAGE)


def build(verbs: Sequence[Verb]) -> Parser:
    """The parser of all verbs; its Namespace has the Verb itself as "verb"."""
    parser = Parser(
        prog="sockwake",
        allow_abbrev=False,
        description="Databases, containers and programs that sleep until a client connects.",
        epilog=f"{_EXIT_STATUS}. See sockwake(8).",
    )
    parser.add_argument("--version", action=_Version)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for verb in verbs:
        added = commands.add_parser(
            verb.name,
            help=verb.help,
            description=verb.description or f"{verb.help[0].upper()}{verb.help[1:]}.",
            allow_abbrev=False,
            epilog=f"{_EXIT_STATUS}. See {verb.manual}.",
        )
        added.set_defaults(verb=verb)
        _add_arguments(added, verb)
    return parser


def _add_arguments(parser: Parser, verb: Verb) -> None:
    """Add the operands of a verb, and its options under their titles."""
    if verb.has_name:
        rule = "a-z, 0-9 and '-', starting with a letter" if verb.makes_name else None
        parser.add_argument("name", metavar="NAME", type=Name, help=rule)
    if verb.rest:
        parser.add_argument("rest", metavar=verb.rest, nargs=argparse.REMAINDER)
    titles = dict.fromkeys(option.title for option in verb.options)
    groups = {title: parser.add_argument_group(title) if title else parser for title in titles}
    for option in verb.options:
        groups[option.title].add_argument(option.flag, **_keywords(option))


def _keywords(option: Option) -> dict[str, Any]:
    """What argparse is told of an option; a kind's has None for "not given" (defaults.settle)."""
    if not option.metavar:
        not_given = None if option.kinds else False
        return {
            "action": "store_const",
            "const": True,
            "default": not_given,
            "help": option.summary,
        }
    action = "append" if option.repeatable else "store"
    return {
        "action": action,
        "metavar": option.metavar,
        "type": option.check,
        "help": option.summary,
    }


class _Version(argparse.Action):
    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="show the version")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        print(f"sockwake {version.find()}")
        parser.exit()
