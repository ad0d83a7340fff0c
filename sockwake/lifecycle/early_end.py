"""Why a container ended before it was ready, and the option that gives it what it asked for."""

from __future__ import annotations

import re

from sockwake.errors import SockwakeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.lifecycle.attached import Attached

_VARIABLE = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")
_ONE_WORD = re.compile(r"(?i:variables?|environ\S*|keyerror)\W+([A-Z][A-Z0-9]{2,})\b")
_UNSET = re.compile(r"\b([A-Z][A-Z0-9_]+): (?:parameter|unbound variable)")
# what a line says that asks for a variable, and does not only mention one
_ASKS = re.compile(
    r"(?i)must|need|requir|specif|missing|provide|environ|variable|keyerror|undefined|"
    r"not (?:set|defined|found|given)|unset|empty|unbound"
)
_MISSES_OTHERS = re.compile(
    r"(?i)network is unreachable|enetunreach|name resolution|eai_again|enotfound|getaddrinfo|"
    r"could not translate host name|no such host|unknown host|could not resolve host"
)
_WANTS_TO_BE_FIRST = re.compile(r"(?i)\bpid 1\b|\bprocess 1\b")


def explained(container: Attached) -> SockwakeError:
    """The error to raise for a container that has ended before it was ready."""
    return explained_by(
        container.how_it_ended(), container.tail.decode(errors="replace").splitlines()
    )


def explained_by(error: SockwakeError, lines: list[str]) -> SockwakeError:
    """An error with the last of the lines that a container has written, or the one that tells why.

    Its hint is the option that helps.
    """
    hint, said = error.hint, error.said or (lines[-1].strip() if lines else "")
    if name_and_line := _variable(lines):
        name, said = name_and_line
        hint = f"--env {name}=VALUE gives it that, and --env-file FILE several"
    elif any(map(_WANTS_TO_BE_FIRST.search, lines)):
        hint = "if it has to be process 1, write init: false into compose.yaml"
    elif any(map(_MISSES_OTHERS.search, lines)):
        hint = "--network bridge (an engine wakes it then) or --network host lets it reach others"
    elif not hint and said:
        hint = "what it needs of its environment is given by --env KEY=VALUE or --env-file FILE"
    return SockwakeError(error.message, hint, error.status, said)


def _variable(lines: list[str]) -> tuple[str, str] | None:
    """The first environment variable that output asks for, and the line that does."""
    for line in lines:
        unset = _UNSET.search(line) or _ONE_WORD.search(line)
        if unset:
            return unset[1], line.strip()
        named = _VARIABLE.search(line)
        if named and _ASKS.search(line):
            return named[0], line.strip()
    return None
