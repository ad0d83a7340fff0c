"""The declaration of one option, for the parser, --help, the completion and the manual's test."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sockwake.admin import option_types
from sockwake.config.values import check_value
from sockwake.errors import USAGE, SockwakeError
from sockwake.kinds.table import KINDS

DIRECTORIES, FILES, USERS = "directory", "file", "user"


@dataclass(frozen=True)
class Option:
    """An option of a verb.

    metavar: the name of its value, "" for a flag. type: text to checked value; raises
        SockwakeError.
    group: the title it stands under in --help. kinds: the kinds of instance it is for, none for
        all; a kind that is added can name further options itself (Kind.options).
    required: must be given for its kinds. default: its text when not given, checked by type, too.
    otherwise: what holds without it, in the manual's words, where no constant text does.
    key: the key of instance.env whose value it is. plain: refuse what the readers of instance.env
        would read differently (config/envfile.py).
    words, complete: what a shell completes its value to: words, or names of DIRECTORIES, FILES,
        USERS.
    short: the flag of one letter that means the same, as in "-j", or "".
    """

    flag: str
    metavar: str = ""
    help: str = ""
    type: Callable[[str], Any] = str
    group: str = ""
    kinds: tuple[str, ...] = ()
    required: bool = False
    default: str = ""
    otherwise: str = ""
    repeatable: bool = False
    key: str = ""
    plain: bool = False
    words: tuple[str, ...] = ()
    complete: str = ""
    short: str = ""

    @property
    def flags(self) -> tuple[str, ...]:
        """All ways to write it."""
        return (self.short, self.flag) if self.short else (self.flag,)

    @property
    def name(self) -> str:
        """Its attribute in argparse's Namespace: "db_user"."""
        return self.flag.removeprefix("--").replace("-", "_")

    @property
    def kinds_named(self) -> list[str]:
        """The kinds that take it, in the order of the table; none when all do."""
        return [
            name
            for name, kind in KINDS.items()
            if name in self.kinds or (self.kinds and self.name in kind.options)
        ]

    @property
    def title(self) -> str:
        """The title of its group in --help."""
        if not self.kinds:
            return self.group
        *others, last = self.kinds_named
        return f"of kinds {', '.join(others)} and {last}" if others else f"of kind {last}"

    @property
    def summary(self) -> str:
        """Its line in --help."""
        without = self.default or self.otherwise
        notes = {
            "must be given": self.required,
            "repeatable": self.repeatable,
            f"default: {without}": bool(without),
        }
        said = "; ".join(note for note, holds in notes.items() if holds)
        return f"{self.help} ({said})" if said else self.help

    def check(self, text: str) -> Any:
        """The checked value; for argparse, which lets a SockwakeError through."""
        if not text:
            raise SockwakeError(f"the value of {self.flag} is empty", status=USAGE)
        if self.plain:
            check_value(text, f"the value of {self.flag}")
        return self.type(text)

    def default_value(self) -> Any:
        """The checked value when it is not given: without a default None, [] or False."""
        if not self.metavar:
            return False
        value = self.check(self.default) if self.default else None
        return value if not self.repeatable else [] if value is None else [value]


# of several verbs
ROOT = Option(
    "--root",
    "DIR",
    "work on the system tree DIR, touch nothing that runs",
    type=option_types.tree,
    complete=DIRECTORIES,
)
DEBUG = Option("--debug", help="show a traceback with an error")
JSON = Option("--json", help="as JSON", short="-j")
NO_HEADER = Option("--no-header", help="without the line of titles", short="-h")
ALL = Option("--all", help="every instance")
QUIET = Option("--quiet", help="say nothing but errors")
USER = Option("--user", help="of the calling user's own instances")
