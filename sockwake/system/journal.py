"""Write to the journal, which is the unit's standard output."""

from __future__ import annotations

import os

from sockwake.config import scope
from sockwake.errors import failure, shown

_JOURNAL = "/run/systemd/journal/socket"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def write(text: bytes) -> None:
    """Write all of text, a container's output, unchanged."""
    while text:
        text = text[os.write(1, text) :]


def write_as(identifier: str, text: bytes, unit: str = "") -> None:
    """The words of one of several services, each line under its name (SYSLOG_IDENTIFIER=).

    unit: the unit in which they are an error, to root's mind; `journalctl -u` shows them there.

    Source: systemd's "Native Journal Protocol". Without a journal they go where all others go.
    """
    import socket

    about = f"OBJECT_SYSTEMD_UNIT={unit}\nPRIORITY=3" if unit else "PRIORITY=6"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        for line in text.splitlines():
            size = len(line).to_bytes(8, "little")
            fields = f"{about}\nSYSLOG_IDENTIFIER={identifier}\nMESSAGE\n".encode()
            try:
                sock.sendto(fields + size + line + b"\n", _JOURNAL)
            except OSError:
                write(identifier.encode() + b": " + line + b"\n")


def say(sentence: str) -> None:
    """Write a sentence of sockwake's own, marked as such."""
    write(f"sockwake: {sentence}\n".encode())


def record(event: str, name: str, sentence: str, **facts: object) -> None:
    """Write a sentence of sockwake's own with what `sockwake history` reads of it.

    event: of SOCKWAKE_EVENT=. name: the instance. facts: each is a field, as in SOCKWAKE_CLIENT=;
    None and "" are left out. `journalctl -u` shows it by the backend's unit whichever process has
    written it, and also when that has ended before journald has looked for its unit. Without a
    journal the sentence goes where all others go.
    """
    import _socket  # late: a wake is over by then

    fields = {
        "MESSAGE": f"sockwake: {sentence}",
        "PRIORITY": 5,  # units with LogLevelMax=notice drop what is less
        "SYSLOG_IDENTIFIER": "sockwake",
        f"OBJECT_SYSTEMD_{'USER_' if scope.is_user() else ''}UNIT": f"pg-postgres@{name}.service",
        "SOCKWAKE_EVENT": event,
        "SOCKWAKE_INSTANCE": name,
        **{f"SOCKWAKE_{key.upper()}": value for key, value in facts.items()},
    }
    text = "".join(
        f"{key}={shown(str(value))}\n" for key, value in fields.items() if value not in (None, "")
    )
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
    try:
        sock.sendto(text.encode(errors="replace"), _JOURNAL)
    except OSError:
        say(sentence)
    finally:
        sock.close()


def aside(step: Callable[..., object], *arguments: object) -> None:
    """Do a step that may fail: its error is written to the journal, and never raised."""
    try:
        step(*arguments)
    except Exception as error:
        try:
            say(failure(error).whole)
        except OSError:
            pass
