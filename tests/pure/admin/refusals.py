"""The words of errors that several modules of tests expect."""

from collections.abc import Callable

from sockwake.admin import cli
from tree import Tree

NAME_RULE = "use lower-case letters, digits and '-', starting with a letter, 31 characters at most"
UNQUOTED = "has a space at an end, or one of \" ' \\ $ ` # ; or a control character"
PORT_RANGE = "is not a number from 1 to 65535"
NO_PORT = "leave out --port to take the next free one"
NO_LISTEN = "leave out --listen for 127.0.0.1"
SPAN = "write it as in 90s, 3min, 1h 30min or infinity"
VERSION = "write it as in --version 18"
GUC = "as in --set work_mem=64MB"
NEITHER = "is neither an IP address nor the absolute path of a unix socket"
NEW_HELP = "sockwake new --help"
LONG = "x" * 64
TOO_LONG = "is longer than the 63 bytes of a name in PostgreSQL"


def brief(value: object) -> str:
    return " ".join(map(ascii, value))[:40] if isinstance(value, list) else ""


def told(message: str, hint: str) -> str:
    return f"sockwake: error: {message}\n" + (f"(hint: {hint})\n" if hint else "")


def command(tree: Tree, *arguments: str) -> Callable[[], int]:
    return lambda: cli.main([*arguments, "--root", str(tree)])
