"""The values of instance.env: functions that check a text, and raise SockwakeError.

Imported on the wake path, so it imports next to nothing itself.
"""

from __future__ import annotations

from sockwake.config import timespan
from sockwake.errors import USAGE, SockwakeError
from sockwake.kinds.table import BUILTIN, KINDS, NONE

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_LONGEST_SOCKET_PATH = 107  # bytes, unix(7)


def check_value(value: str, what: str, status: int = USAGE) -> str:
    """value, unless systemd, compose and the generator could read it differently.

    what: the subject of the sentence in the error.
    """
    if value != value.strip() or not value.isprintable() or any(c in value for c in "\"'\\$`#;"):
        raise SockwakeError(
            f"{what} has a space at an end, or one of \" ' \\ $ ` # ; or a control character",
            status=status,
        )
    return value


def listen(item: str) -> str:
    """item, when it is an address or the absolute path of a socket, as the generator takes them."""
    of_a_path = _LETTERS + _LETTERS.upper() + "0123456789._/-+@"
    alphabet = of_a_path if item.startswith("/") else "0123456789abcdefABCDEF.:"
    if len(item) > _LONGEST_SOCKET_PATH:
        raise SockwakeError(
            f"'{item}' is longer than the {_LONGEST_SOCKET_PATH} bytes of a unix socket's path",
            status=USAGE,
        )
    if not item or item.strip(alphabet) or "/../" in f"{item}/":
        raise SockwakeError(
            f"'{item}' is neither an IP address nor the absolute path of a unix socket",
            "leave out --listen for 127.0.0.1",
            USAGE,
        )
    return item


def network(text: str) -> str:
    """text, when it is an address or a network, as the generator takes them."""
    if not text or text.strip("0123456789abcdefABCDEF.:/"):
        raise SockwakeError(
            f"'{text}' is neither an IP address nor a network", "as in 10.0.0.0/8", USAGE
        )
    return text


def port(text: str) -> int:
    """The port number in text."""
    if (
        not text.isascii()
        or not text.isdigit()
        or len(text) > 5
        or text[0] == "0"
        or int(text) > 65535
    ):
        raise SockwakeError(f"port '{text}' is not a number from 1 to 65535", status=USAGE)
    return int(text)


def idle(text: str) -> float:
    """Seconds of an idle time of one second or more."""
    seconds = timespan.parse(text)
    if seconds < 1:
        raise SockwakeError(f"idle time '{text}' is shorter than a second", status=USAGE)
    return seconds


def ready(text: str, kind_name: str) -> str:
    """text, when it names a proof of readiness that an instance of this kind can give."""
    kind = KINDS[kind_name]
    words = (
        ("notify", "start")
        if kind.takes_socket
        else (kind.ready,)
        if kind.has_cluster
        else ("tcp",)
    )
    by_http = words == ("tcp",) and text.startswith("http:/") and " " not in text
    if text not in words and not by_http:
        known = " or ".join((*words, "http:/PATH") if words == ("tcp",) else words)
        raise SockwakeError(
            f"an instance of kind '{kind_name}' cannot be ready by '{text}'",
            f"it can by {known}",
            USAGE,
        )
    return text


def runtime(text: str, kind_name: str) -> str:
    """text, when it names a runtime that can wake an instance of this kind."""
    known = KINDS[kind_name].runtimes
    if text not in known:
        raise SockwakeError(
            f"an instance of kind '{kind_name}' cannot be woken by '{text}'",
            f"it can by {' or '.join(known)}",
            USAGE,
        )
    return text


def probe_host(text: str) -> str:
    """text, when it can be the Host of a request: a name or an address, with a port or without."""
    if text.strip(_LETTERS + _LETTERS.upper() + "0123456789.-_:[]"):
        raise SockwakeError(f"'{text}' is not the name of a host", status=USAGE)
    return text


def user(text: str) -> str:
    """text, when it can be the name of a user."""
    letters = _LETTERS + _LETTERS.upper() + "_"
    if text[:1] not in letters or not text or text.strip(letters + "0123456789.-"):
        raise SockwakeError(f"'{text}' is not the name of a user", status=USAGE)
    return text


def socket_mode(text: str) -> str:
    """text, when it is an octal mode of four digits."""
    if len(text) != 4 or text[0] != "0" or text.strip("01234567"):
        raise SockwakeError(f"socket mode '{text}' is not valid", "write it as in 0660", USAGE)
    return text


def check(text: str) -> str:
    """text, when it names a check."""
    if text not in (NONE, BUILTIN) and not text.startswith("/"):
        raise SockwakeError(
            f"check '{text}' is not the absolute path of a program",
            f"or {BUILTIN}, or {NONE}",
            USAGE,
        )
    return text


def check_every(text: str) -> float:
    """Seconds between two checks."""
    seconds = timespan.parse(text)
    if not 1 <= seconds < timespan.INFINITY:
        raise SockwakeError(
            f"check interval '{text}' is not a finite time of a second or more", status=USAGE
        )
    return seconds


def version(text: str) -> int:
    """The major version in "18" or "17.4"."""
    major, dot, minor = text.partition(".")
    if (
        not text.isascii()
        or not (major + minor).isdigit()
        or len(major) != 2
        or major[0] == "0"
        or bool(dot) != bool(minor)
    ):
        raise SockwakeError(
            f"version '{text}' is not a PostgreSQL version", "write it as in --version 18", USAGE
        )
    return int(major)


def start_timeout(text: str) -> float:
    """Seconds that a start may take."""
    seconds = timespan.parse(text)
    if not 1 <= seconds < timespan.INFINITY:
        raise SockwakeError(
            f"start timeout '{text}' is not a finite time of a second or more", status=USAGE
        )
    return seconds


def absolute(path: str, what: str) -> str:
    """path, when it is absolute."""
    if not path.startswith("/"):
        raise SockwakeError(f"{what} '{path}' is not an absolute path")
    return path


def one_of(text: str, known: tuple[str, ...], what: str) -> str:
    """text, when it is one of the known words."""
    if text not in known:
        raise SockwakeError(f"{what} '{text}' is not known: {', '.join(known)}", status=USAGE)
    return text
