"""The command line's parser, made of the declarations of verbs and options."""

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, NoReturn

from sockwake.admin import version
from sockwake.admin.option import Option
from sockwake.admin.words import capital
from sockwake.config import similar
from sockwake.config.instance import Name
from sockwake.errors import USAGE, SockwakeError

_EXIT_STATUS = (
    "exit status: 0 done, 1 failed, 2 bad usage, 3 name, port, data or file taken, 4 in use, "
    "5 no such instance or image, 6 there is something to apply, 130 interrupted"
)
_ELSEWHERE = {
    "--root": "on a system that runs, and on no tree (--root)",
    "--user": "on the machine's instances, and on no user's own (--user)",
}
_NO_OPTION = re.compile(r"-\.?[0-9]")  # no option begins so
FILE, IMAGE, NEW = "FILE", "IMAGE", "NEW"  # operands
# what other programs call a verb
_ELSEWHERE_CALLED = {
    "create": "new",
    "delete": "rm",
    "journal": "logs",
    "list": "ls",
    "mv": "rename",
    "remove": "rm",
    "show": "status",
    "version": "--version",
}
# verbs that have verbs of their own: help, and the one that is meant where none is named
GROUPS = {
    "backups": ("the backups of instances", "ls"),
    "images": ("the images of containers that run without an engine", "ls"),
}


@dataclass(frozen=True)
class Verb:
    """One verb of sockwake(8).

    name: one word, or two when the first is a group of GROUPS. run: what it does with its parsed
        arguments. help: its line in the list of verbs. description: the sentence in its own --help,
        made of help if "". has_name: it takes the NAME of an instance; of one that there is, unless
        makes_name. names: of any number of names, what is said about them. rest: the metavar of
        arguments that are another program's. operands: the metavars of other arguments, FILE,
        IMAGE and NEW. command: the metavar of a command line behind "--", which is the Namespace's
        "command". aliases: other names that it has.
    """

    name: str
    run: Callable[[argparse.Namespace], None]
    help: str
    options: tuple[Option, ...]
    description: str = ""
    has_name: bool = False
    makes_name: bool = False
    names: str = ""
    rest: str = ""
    operands: tuple[str, ...] = ()
    command: str = ""
    aliases: tuple[str, ...] = ()
    manual: str = "sockwake(8)"


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints look like every other error.

    takes_command: whether what is behind the first "--" is a command line, and for no parser.
    """

    takes_command = False

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        # argparse's own takes "-1h" of journalctl(1) for an option, and "-1" for none
        self._negative_number_matcher = _NO_OPTION

    def error(self, message: str) -> NoReturn:
        raise SockwakeError(message, f"{self.prog} --help", USAGE)

    def _check_value(self, action: argparse.Action, value: str) -> None:
        """argparse's own, with a hint to the verb that is meant."""
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            meant = _verb_meant(value, [*(action.choices or ())])
            raise SockwakeError(str(error), f"{meant}{self.prog} --help", USAGE) from None

    def _print_message(self, message: str, file: Any = None) -> None:
        (file or sys.stderr).write(message)  # argparse's own passes over errors

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        own = list(takewhile(lambda word: word != "--", args)) if self.takes_command else args
        # before a NAME that is none
        self._require_possible(list(takewhile(lambda word: word.startswith("-"), own or ())))
        parsed, unknown = super().parse_known_args(own, namespace)
        self._require_possible(unknown)
        if "names" in parsed and unknown and not any(each.startswith("-") for each in unknown):
            parsed.names, unknown = [*parsed.names, *unknown], []  # those behind an option
        if self.takes_command:
            parsed.command = args[len(own) + 1 :] if len(own) < len(args) else None
        if unknown and self._subparsers is None:  # a verb's, whose --help is the one to read
            self._refuse(unknown)
        return parsed, unknown

    def _refuse(self, unknown: Sequence[str]) -> NoReturn:
        """Raise SockwakeError for words that it does not take, with the option that is meant."""
        first = unknown[0].partition("=")[0]
        hint = f"{self.prog} --help"
        if self.takes_command and not first.startswith("-"):
            hint = f"a command stands behind --, as in {self.prog} NAME -- {first}"
        elif first.startswith("--"):
            hint = f"{similar.question(first, self._option_string_actions)}{hint}"
        raise SockwakeError(f"unrecognized arguments: {' '.join(unknown)}", hint, USAGE)

    def _require_possible(self, words: Sequence[str]) -> None:
        """Raise SockwakeError for an option of other verbs that says where instances are."""
        if self._subparsers is not None:
            return  # its verb's parser tells
        for option in (word.partition("=")[0] for word in words):
            if option in _ELSEWHERE and option not in self._option_string_actions:
                raise SockwakeError(f"'{self.prog}' works {_ELSEWHERE[option]}", status=USAGE)


def parse(verbs: Sequence[Verb], words: Sequence[str]) -> argparse.Namespace:
    """What the words of a command line ask for; its Namespace has the Verb itself as "verb"."""
    words = _in_full(verbs, words)
    if words and words[0].startswith("-") and words[0] not in ("-h", "--help", "--version"):
        hint = "options stand behind the command"
        raise SockwakeError(f"unrecognized arguments: {words[0]}", hint, USAGE)
    named = [verb for verb in verbs if _is_named(verb, words)]
    if not named:
        _require_verb_first(verbs, words)
    return build(named or verbs).parse_args(words)  # of one verb: that of all takes 10 to 20 ms


def _require_verb_first(verbs: Sequence[Verb], words: Sequence[str]) -> None:
    """Raise SockwakeError (usage) for the words of: sockwake pg1 status."""
    first = {word: "" for verb in verbs for word in (verb.name.split()[0], *verb.aliases)}
    if len(words) < 2 or words[0] in first or words[1] not in first:
        return
    if not _verb_meant(words[0], [*first]):
        hint = f"the command comes first: sockwake {words[1]} {words[0]}"
        raise SockwakeError(f"'{words[0]}' is no command", hint, USAGE)


def _is_named(verb: Verb, words: Sequence[str]) -> bool:
    name = verb.name.split()
    return [*words[: len(name)]] == name or (bool(words) and words[0] in verb.aliases)


def _in_full(verbs: Sequence[Verb], words: Sequence[str]) -> Sequence[str]:
    """The words with the usual verb of a group that has none, as in: backups NAME."""
    group, following = [*words, "", ""][:2]
    own = {verb.name.split()[-1]: verb for verb in verbs if verb.name.startswith(f"{group} ")}
    if group not in GROUPS or following in (*own, "-h", "--help"):
        return words
    usual = GROUPS[group][1]
    if following.startswith("-") or not following or own[usual].names:
        return [group, usual, *words[1:]]
    return words


def _verb_meant(word: str, known: Sequence[str]) -> str:
    """ "is it status? " for a hint, of a verb that there is not; or ""."""
    meant = _ELSEWHERE_CALLED.get(word, "")
    if meant in known or (meant.startswith("--") and "new" in known):
        return f"is it {meant}? "
    return similar.question(word, known)


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
    groups = {"": commands}
    for verb in verbs:
        group, _, name = verb.name.rpartition(" ")
        if group not in groups:
            groups[group] = _group(commands, group)
        added = groups[group].add_parser(
            name,
            aliases=verb.aliases,
            help=verb.help,
            description=verb.description or f"{capital(verb.help)}.",
            allow_abbrev=False,
            add_help=not _has_own_h(verb),
            epilog=f"{_EXIT_STATUS}. See {verb.manual}.",
        )
        if _has_own_h(verb):
            added.add_argument("--help", action="help", help="show this help message and exit")
        added.set_defaults(verb=verb)
        _add_arguments(added, verb)
    return parser


def _group(commands: Any, name: str) -> Any:
    """Add a group; returns what takes the parsers of its verbs."""
    text, _ = GROUPS[name]
    title = f"{capital(text)}."
    group = commands.add_parser(
        name,
        help=text,
        description=title,
        allow_abbrev=False,
        epilog=f"{_EXIT_STATUS}. See sockwake(8).",
    )
    return group.add_subparsers(metavar="COMMAND")


def _has_own_h(verb: Verb) -> bool:
    """Whether -h is not --help: of a list it is --no-header, as pg_lsclusters(1) has it."""
    return any(option.short == "-h" for option in verb.options)


def _add_arguments(parser: Parser, verb: Verb) -> None:
    """Add the operands of a verb, and its options under their titles."""
    if verb.has_name:
        rule = "a-z, 0-9 and '-', starting with a letter" if verb.makes_name else None
        parser.add_argument("name", metavar="NAME", type=Name, help=rule)
    if verb.names:
        parser.add_argument("names", metavar="NAME", nargs="*", help=verb.names)
    for operand in verb.operands:
        parser.add_argument(operand.lower(), metavar=operand, type=_operand(operand))
    if verb.command:
        parser.takes_command = True
        words = (
            f"NAME -- {verb.command}..." if verb.has_name else f"[NAME...] [-- {verb.command}...]"
        )
        parser.usage = f"%(prog)s [OPTION...] {words}"
    if verb.rest:
        parser.add_argument("rest", metavar=verb.rest, nargs=argparse.REMAINDER)
    titles = dict.fromkeys(option.title for option in verb.options)
    groups = {title: parser.add_argument_group(title) if title else parser for title in titles}
    for option in verb.options:
        groups[option.title].add_argument(*option.flags, **_keywords(option))


def _operand(metavar: str) -> Callable[[str], str]:
    def checked(text: str) -> str:
        if not text or text.startswith("-") or not text.isprintable():
            raise SockwakeError(f"'{text}' is no {metavar}", status=USAGE)
        return text

    return checked


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
