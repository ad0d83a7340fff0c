"""The password that sockwake-new is given: --password-file."""

import os
import stat
import sys

from sockwake.admin.make.request import Request
from sockwake.errors import USAGE, SockwakeError, reason
from sockwake.postgres import credential, password


def take(request: Request, path: str) -> None:
    """Have the instance get the password in a file, "-" for stdin; raises SockwakeError (usage)."""
    text, is_public = _read(path)
    where = "the standard input" if path == "-" else path
    request.password = password.require_line(text, where)
    if is_public:
        request.warnings.append(f"{path} is no secret: every user may read it (chmod 600 {path})")
    if request.root:
        name = credential.name_of(request.final)
        request.warnings.append(
            "the password is baked into the tree, for every machine that is made of it; without "
            f"--password-file each makes one of its own, or takes that of its credential {name}"
        )


def _read(path: str) -> tuple[str, bool]:
    """What is in the file, as far as a password may go, and whether every user may read it."""
    most = password.LONGEST + 3
    if path == "-":
        return sys.stdin.read(most), False
    try:
        with open(path, encoding="utf-8") as file:
            found = os.fstat(file.fileno())
            is_public = stat.S_ISREG(found.st_mode) and bool(found.st_mode & stat.S_IROTH)
            return file.read(most), is_public
    except OSError as error:
        raise SockwakeError(f"cannot read {path}: {reason(error)}", status=USAGE) from None
    except UnicodeDecodeError:
        raise SockwakeError(f"cannot read {path}: it is not UTF-8", status=USAGE) from None


def warn_unless_taken(request: Request) -> None:
    """Warn when the instance has another password than it was given: that of its credential."""
    if request.password and password.read_password(request.final) != request.password:
        name = credential.name_of(request.final)
        request.warnings.append(f"its password is that of the credential {name}, which counts more")
