"""The file "forward" of an instance: where its clients are led instead of to its own backend."""

from __future__ import annotations

import os

from sockwake.config import envfile, scope, values
from sockwake.errors import USAGE, SockwakeError, reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from sockwake.config.instance import Instance

TCP = "tcp"
PATRONI = "http:8008/primary"
_SCHEMES = ("http", "https")
_OF_A_HOST = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"
_RULE = "write it as in 10.0.0.1:5432, with [ ] around an IPv6 address"


class Target:
    """A server that clients may be led to."""

    __slots__ = ("host", "port")

    def __init__(self, text: str) -> None:
        """text: HOST:PORT; raises SockwakeError (usage) for what is none."""
        host, _, port = text.rpartition(":")
        is_ipv6 = host[:1] + host[-1:] == "[]" and ":" in host
        name = host[1:-1] if is_ipv6 else host
        alphabet = "0123456789abcdefABCDEF.:" if is_ipv6 else _OF_A_HOST
        if not name or name.strip(alphabet) or name.startswith("-"):
            raise SockwakeError(f"'{text}' is not the place of a server", _RULE, USAGE)
        self.host = name
        self.port = values.port(port)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Check:
    """How the leader of several servers is told: one that takes connections, or answers 200.

    scheme: "tcp", "http" or "https". port: where it is asked, 0 for the server's own. path: as in
    "/primary".
    """

    __slots__ = ("path", "port", "scheme")

    def __init__(self, text: str) -> None:
        """text: "tcp", or SCHEME:PORT/PATH; raises SockwakeError (usage) for what is none."""
        self.scheme, _, rest = text.partition(":")
        port, slash, path = rest.partition("/")
        self.port, self.path = 0, slash + path
        if text == TCP:
            return
        if self.scheme not in _SCHEMES or not slash or not path.isascii() or " " in path:
            raise SockwakeError(
                f"'{text}' does not tell a leader",
                f"{PATRONI} asks Patroni; https:PORT/PATH, or {TCP} for the first that answers",
                USAGE,
            )
        self.port = values.port(port)

    def __str__(self) -> str:
        return self.scheme if self.scheme == TCP else f"{self.scheme}:{self.port}{self.path}"


class Forwarding:
    """Where clients are led. targets: one at least, in the order in which they were given."""

    __slots__ = ("check", "targets")

    def __init__(self, targets: Sequence[str], check: str = "") -> None:
        """check: "" for what suits their number. Raises SockwakeError (usage)."""
        self.targets = tuple(map(Target, dict.fromkeys(targets)))
        if not self.targets:
            raise SockwakeError("say where to", _RULE, USAGE)
        suitable = PATRONI if len(self.targets) > 1 else TCP
        self.check = Check(values.check_value(check or suitable, "the check"))

    def __str__(self) -> str:
        return ", ".join(map(str, self.targets))

    @property
    def text(self) -> str:
        """The file's."""
        return f"TARGETS={','.join(map(str, self.targets))}\nCHECK={self.check}\n"


def path(instance: Instance) -> str:
    """The file; while it is there, systemd starts no backend (pg-postgres@.service)."""
    return f"{instance.etc}/forward"


def parse(text: str, file: str) -> Forwarding:
    """What a file says; raises SockwakeError that names it."""
    lines = envfile.parse(text, file)
    if "TARGETS" not in lines or lines.keys() - {"TARGETS", "CHECK"}:
        raise SockwakeError(f"{file} has to have TARGETS=, may have CHECK=, and nothing else")
    try:
        return Forwarding(lines["TARGETS"].split(","), lines.get("CHECK", ""))
    except SockwakeError as error:
        raise SockwakeError(f"cannot use {file}: {error.message}", error.hint) from None


def of(instance: Instance) -> Forwarding | None:
    """Where the clients of an instance are led, None for its own backend; raises SockwakeError."""
    name = path(instance)
    try:
        with open(name, encoding="utf-8", newline="") as file:
            return parse(file.read(), name)
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise SockwakeError(f"cannot read {name}: it is not UTF-8") from None
    except OSError as error:
        raise SockwakeError(f"cannot read {name}: {reason(error)}") from None


def is_there(instance: Instance) -> bool:
    """Whether the clients of an instance are led elsewhere."""
    return os.path.lexists(path(instance))


def is_led(instance: Instance) -> bool:
    """Whether its proxy leads clients elsewhere, by what the last daemon-reload has read."""
    base = scope.runtime() if scope.is_user() else "/run"
    return os.path.lexists(f"{base}/systemd/generator/{instance.proxy_unit}.d/forward.conf")


def places(instance: Instance) -> list[str]:
    """Where to, as in ["10.0.0.1:5432"]; none when its file cannot be used."""
    try:
        there = of(instance)
    except SockwakeError:
        return []
    return list(map(str, there.targets)) if there else []


def require_none(instance: Instance) -> None:
    """Raise SockwakeError when clients are led elsewhere, and so nothing may wake the instance."""
    if not is_there(instance):
        return
    raise SockwakeError(
        f"instance '{instance.name}' is forwarded, and its own data sleep",
        f"{scope.command('sockwake forward', instance.name)} --back ends that",
    )
