"""The password of a cluster's superuser: make it, keep it with the data, find it again."""

import os
import secrets

from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.errors import SockwakeError, reason
from sockwake.system import files

_KEPT_PASSWORD = "sockwake-password"


def new_password() -> str:
    """A new password of 192 random bits, as a line."""
    return secrets.token_urlsafe(24) + "\n"


def write_password(instance: Instance) -> None:
    """Write a new password file, with mode 0600, unless there is one."""
    if not os.path.exists(instance.password_file):
        files.replace(instance.password_file, 0o600, new_password())


def read_password(instance: Instance) -> str:
    """The password, "" when it is not known: an adopted cluster's, or one that is yet to be made.

    Raises SockwakeError when it may not be read.
    """
    try:
        with open(instance.password_file, encoding="utf-8") as file:
            return file.read().strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        why = reason(error) if isinstance(error, OSError) else "it is not UTF-8"
        hint = "" if scope.is_user() else "run this as root"
        raise SockwakeError(f"cannot read {instance.password_file}: {why}", hint) from None


def require_password(instance: Instance) -> str:
    """The password; raises SockwakeError when it is not known."""
    if password := read_password(instance):
        return password
    if os.path.exists(instance.uninitialised_file):
        raise SockwakeError(
            f"instance '{instance.name}' has no password yet", "its first wake makes one"
        )
    raise SockwakeError(
        f"the password of instance '{instance.name}' is not known here: "
        "its cluster was adopted without it",
        f"write it into {instance.password_file}",
    )


def keep_password(instance: Instance, data: str) -> bool:
    """Copy the password to the data, readable by root alone; False without password or cluster.

    The directory may belong to the container's user: no link in it is followed.
    """
    try:
        with open(instance.password_file, encoding="utf-8") as file:
            password = file.read()
    except FileNotFoundError:
        return False
    if not password.strip() or os.path.exists(instance.uninitialised_file):
        return False
    files.replace(f"{data}/{_KEPT_PASSWORD}", 0o600, password)
    return True


def kept_password(data: str) -> str:
    """The password that keep_password() wrote there, or ""."""
    try:
        line = files.read_plain(f"{data}/{_KEPT_PASSWORD}").partition("\n")[0].strip()
    except OSError:
        return ""
    return line if line.isprintable() else ""


def forget_password(data: str) -> None:
    """Remove the copy of keep_password(), once an instance has the password again."""
    files.remove(f"{data}/{_KEPT_PASSWORD}")


def libpq_line(host: str, port: str, database: str, user: str, password: str) -> str:
    """A line of a password file (libpq, "The Password File"); "*" stands for any."""
    fields = (host, port, database, user, password)
    escaped = (each.replace("\\", "\\\\").replace(":", "\\:") for each in fields)
    return f"{':'.join(escaped)}\n"
