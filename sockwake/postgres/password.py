"""The password of a cluster's superuser: made, kept beside the data, found again."""

import os
import secrets

from sockwake.config.instance import Instance
from sockwake.system import files

_KEPT_PASSWORD = "sockwake-password"


def new_password() -> str:
    """A line of 192 random bits."""
    return secrets.token_urlsafe(24) + "\n"


def write_password(instance: Instance) -> None:
    """Make the password file unless there is one; 0600 from its first byte."""
    if not os.path.exists(instance.password_file):
        files.replace(instance.password_file, 0o600, new_password())


def keep_password(instance: Instance, data: str) -> bool:
    """Put the password beside the data, root's alone; False when the instance has none, or no cluster yet.

    The directory may belong to the container's user, so nothing in it is followed or written through.
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
    """The password keep_password() left there, or ""."""
    try:
        line = files.read_plain(f"{data}/{_KEPT_PASSWORD}").partition("\n")[0].strip()
    except OSError:
        return ""
    return line if line.isprintable() else ""


def forget_password(data: str) -> None:
    """Remove what keep_password() left, now that an instance has it again."""
    files.remove(f"{data}/{_KEPT_PASSWORD}")
