"""The arguments of initdb: those of the image or of compose.yaml first, then sockwake's own."""

import getopt
import shlex
from collections.abc import Iterator, Mapping

from sockwake.errors import SockwakeError

ARGUMENTS = "POSTGRES_INITDB_ARGS"
_SCRAM = "scram-sha-256"
# PostgreSQL's initdb.c; of options that are not in here initdb itself has to judge
_SHORT = "A:c:dD:E:gkL:nNsST:U:WX:"
_LONG = """
    pgdata= auth= auth-host= auth-local= encoding= icu-locale= icu-rules= locale= lc-collate=
    lc-ctype= lc-messages= lc-monetary= lc-numeric= lc-time= no-locale locale-provider=
    builtin-locale= text-search-config= username= pwprompt pwfile= debug show sync-only
    allow-group-access set= data-checksums no-data-checksums no-clean no-sync
    no-sync-data-files no-instructions discard-caches sync-method= waldir= wal-segsize= xlogdir=
""".split()
_SAME = {
    "-A": "--auth",
    "-D": "--pgdata",
    "-E": "--encoding",
    "-k": "--data-checksums",
    "-U": "--username",
    "-W": "--pwprompt",
    "-X": "--waldir",
    "--xlogdir": "--waldir",
}
_AUTHENTICATION = ("--auth", "--auth-host", "--auth-local")
_KEPT_OUTSIDE = "the write-ahead log would be lost with the container"
_NOT_THEIRS = {
    "--pgdata": "the data directory has its place",
    "--pwfile": "sockwake makes the password",
    "--pwprompt": "sockwake makes the password",
    "--username": "--db-user names the superuser",
    "--waldir": _KEPT_OUTSIDE,
}


def merged(environment: Mapping[str, str]) -> str:
    """What POSTGRES_INITDB_ARGS has to be, for a container with this environment.

    Raises SockwakeError that names what contradicts sockwake's own arguments.
    """
    _require_agreement(environment)
    theirs = environment.get(ARGUMENTS, "").strip()
    has_encoding = has_checksums = False
    for name, value in _options(theirs):
        if name in _AUTHENTICATION and value != _SCRAM:
            raise _contradiction(f"{ARGUMENTS} says {name}={value}", f"clients need {_SCRAM}")
        if name in _NOT_THEIRS:
            raise _contradiction(f"{ARGUMENTS} says {name}", _NOT_THEIRS[name])
        has_encoding |= name == "--encoding"
        has_checksums |= name in ("--data-checksums", "--no-data-checksums")
    ours = [f"--auth-local={_SCRAM}", f"--auth-host={_SCRAM}"]
    ours += [] if has_checksums else ["--data-checksums"]
    ours += [] if has_encoding else ["--encoding=UTF8"]
    return " ".join([*([theirs] if theirs else []), *ours])


def _require_agreement(environment: Mapping[str, str]) -> None:
    """Raise SockwakeError for variables of the official image that cannot be honoured."""
    if environment.get(f"{ARGUMENTS}_FILE"):
        raise _contradiction(
            f"{ARGUMENTS}_FILE is set", f"sockwake adds arguments: write them into {ARGUMENTS}"
        )
    if environment.get("POSTGRES_INITDB_WALDIR"):
        raise _contradiction("POSTGRES_INITDB_WALDIR is set", _KEPT_OUTSIDE)
    if environment.get("POSTGRES_HOST_AUTH_METHOD") == "trust":
        raise _contradiction("POSTGRES_HOST_AUTH_METHOD=trust is set", f"clients need {_SCRAM}")


def _contradiction(what: str, why: str) -> SockwakeError:
    return SockwakeError(
        f"{what}, in the image or in compose.yaml: {why}",
        "take it out, or set it to nothing in compose.yaml: environment:",
    )


def _options(text: str) -> Iterator[tuple[str, str]]:
    """(long name, value) of every option, abbreviated or not; none of what cannot be read."""
    try:
        found, _ = getopt.gnu_getopt(shlex.split(text), _SHORT, _LONG)
    except (ValueError, getopt.GetoptError):
        return
    for name, value in found:
        yield _SAME.get(name, name), value
