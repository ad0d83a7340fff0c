"""Names of images, as docker, podman and registries have them."""

from string import ascii_letters, digits

from sockwake.config import scope
from sockwake.errors import UNKNOWN, SockwakeError

SHORTEST = 12  # hexadecimal digits of a digest that stand for all
_DIGITS = "0123456789abcdef"
_HUB = "docker.io"
_ALLOWED = dict.fromkeys(map(ord, f"{ascii_letters}{digits}._-/:@+"))


def is_hex(text: str) -> bool:
    """Whether this is a whole digest without its algorithm."""
    return len(text) == 64 and not text.strip(_DIGITS)


def hex_of(digest: str) -> str:
    """The digits of a digest, which may be the name of a file; raises SockwakeError."""
    algorithm, _, rest = digest.partition(":")
    if algorithm != "sha256" or not is_hex(rest):
        raise SockwakeError(f"'{digest}' is not the digest of a part of an image")
    return rest


def beginning(name: str) -> str:
    """The digits of a digest that may be cut short, "" when it is a name."""
    rest = name.removeprefix("sha256:")
    return rest if SHORTEST <= len(rest) <= 64 and not rest.strip(_DIGITS) else ""


def short(digest: str) -> str:
    """A digest as an administrator is shown it, which beginning() knows again."""
    return digest[: len("sha256:") + SHORTEST]


def normal(name: str) -> str:
    """The name with all that docker leaves out: "docker.io/library/postgres:18"."""
    name, at, digest = name.partition("@")
    first, slash, _ = name.partition("/")
    if not slash:
        name = f"{_HUB}/library/{name}"
    elif not (set(first) & set(".:") or first == "localhost"):
        name = f"{_HUB}/{name}"
    tag = "" if ":" in name.rpartition("/")[2] or at else ":latest"
    return f"{name}{tag}{at}{digest}"


def same(one: str, other: str) -> bool:
    """Whether two names are the same, with or without what docker leaves out."""
    return normal(one) == normal(other)


def checked(name: str) -> str:
    """The name if it may be one, else "": an archive may have anything in that place."""
    return name if name.isascii() and not name.translate(_ALLOWED) and len(name) < 500 else ""


def unknown(name: str) -> SockwakeError:
    """The error that no image has this name or digest."""
    hint = f"{scope.command('sockwake images ls')} shows those there are"
    return SockwakeError(f"there is no image '{name}'", hint, UNKNOWN)
