"""The variables of a container's environment for sockwake-new: --env and --env-file as one file.

In compose's format of an env_file:, which has no value that cannot be written.
"""

import re
from argparse import Namespace

from sockwake.admin.make.request import Request
from sockwake.config import resolved
from sockwake.errors import USAGE, SockwakeError, reason

# what is made of other options, and the option
_OWN = {
    "PGDATA": "--data",
    "POSTGRES_DB": "--db-name",
    "POSTGRES_HOST_AUTH_METHOD": "a password is asked for by every connection",
    "POSTGRES_PASSWORD": "--password-file",
    "POSTGRES_PASSWORD_FILE": "--password-file",
    "POSTGRES_USER": "--db-user",
}
_KEY = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*[=:]", re.MULTILINE)


def text(arguments: Namespace, request: Request) -> str:
    """The content of the file; raises SockwakeError (usage)."""
    if request.definition:
        raise SockwakeError(
            "--env and --env-file are for --image", "write it into the compose file", USAGE
        )
    copied = _read(arguments.env_file) if arguments.env_file else ""
    if copied and not copied.endswith("\n"):
        copied += "\n"
    whole = copied + "".join(map(_line, arguments.env))
    if request.has_cluster and (own := sorted(_OWN.keys() & set(_KEY.findall(whole)))):
        raise SockwakeError(f"variable {own[0]} is sockwake's own", _OWN[own[0]], USAGE)
    return whole


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()
    except OSError as error:
        raise SockwakeError(f"cannot read {path}: {reason(error)}", status=USAGE) from None
    except UnicodeDecodeError:
        raise SockwakeError(f"cannot read {path}: it is not UTF-8", status=USAGE) from None


def _line(variable: str) -> str:
    key, _, value = variable.partition("=")
    return resolved.line_of(key, value)
