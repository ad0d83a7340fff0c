"""The password of a cluster's superuser: make it, keep it with the data, find it again."""

import os
from contextlib import suppress

from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.errors import USAGE, SockwakeError, reason
from sockwake.system import files

_KEPT_PASSWORD = "sockwake-password"
LONGEST = 1000  # characters of a password


def new_password() -> str:
    """A new password of 192 random bits, as a line."""
    import secrets  # once in the life of an instance

    return secrets.token_urlsafe(24) + "\n"


def require_line(text: str, where: str) -> str:
    """The password in a text of one line; raises SockwakeError (usage) when it is none.

    where: in which the text was, for the error.
    """
    line = text.removesuffix("\n").removesuffix("\r")
    if not line or line != line.strip() or not line.isprintable() or len(line) > LONGEST:
        raise SockwakeError(
            f"{where} is no password: one line, printable and without a space at an end",
            status=USAGE,
        )
    return line


def make(instance: Instance) -> str:
    """The password of a cluster that is yet to be made, written into its file with mode 0600.

    The credential counts before what is in the file, and that before a new one. Two that do this at
    once get the same. Raises SockwakeError when there is a credential that is no password.
    """
    from sockwake.postgres import credential  # once in the life of an instance

    if told := credential.content(instance):
        told = require_line(told, f"the credential {credential.name_of(instance)}")
        if told != read_password(instance):
            files.replace(instance.password_file, 0o600, f"{told}\n")
    elif os.path.exists(instance.password_file) and not read_password(instance):
        files.replace(instance.password_file, 0o600, new_password())
    else:
        files.write_first(instance.password_file, 0o600, new_password())
    return read_password(instance)


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
        path = instance.password_file
        raise SockwakeError(f"cannot read {path}: {why}", scope.as_root()) from None


def find_or_make(instance: Instance) -> str:
    """The password, made now if the first wake would make it; "" when it is not known.

    Nothing is made in a tree, nor for a user who may not write it.
    """
    is_new = os.path.exists(instance.uninitialised_file)
    if is_new and not instance.root and os.access(instance.etc, os.W_OK):
        return make(instance)  # a credential counts before what is in the file
    return read_password(instance)


def require_password(instance: Instance) -> str:
    """The password, as find_or_make(); raises SockwakeError when it is not known."""
    if password := find_or_make(instance):
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


def find_again(instance: Instance, data: str) -> None:
    """Write the password of a cluster that was made while /etc was another one.

    It is the one that is kept with the data, or that of the credential; without either it stays
    unknown.
    """
    from sockwake.postgres import credential

    if read_password(instance):
        return
    found = kept_password(data)
    with suppress(SockwakeError):  # which is no reason to let a cluster sleep that is there
        found = found or require_line(credential.content(instance), "the credential")
    if found:
        files.replace(instance.password_file, 0o600, f"{found}\n")


def to_keep(instance: Instance) -> str:
    """The text that has to stay with the data; "" without a password or a cluster."""
    try:
        with open(instance.password_file, encoding="utf-8") as file:
            password = file.read()
    except FileNotFoundError:
        return ""
    is_made = not os.path.exists(instance.uninitialised_file)
    return password if password.strip() and is_made else ""


def keep_password(instance: Instance, data: str) -> bool:
    """Copy the password to the data, readable by root alone; False without password or cluster.

    The directory may belong to the container's user: no link in it is followed.
    """
    if password := to_keep(instance):
        files.replace(f"{data}/{_KEPT_PASSWORD}", 0o600, password)
    return bool(password)


def keep_copy(instance: Instance, data: str) -> None:
    """Copy the password to the data of a cluster that has just been made, or has another one."""
    if found := read_password(instance):
        files.replace(f"{data}/{_KEPT_PASSWORD}", 0o600, f"{found}\n")


def has_copy(data: str) -> bool:
    """Whether there is a copy with the data."""
    return os.path.lexists(f"{data}/{_KEPT_PASSWORD}")


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
