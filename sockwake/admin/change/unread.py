"""An instance that is to be removed, and whose instance.env cannot be read, or is gone.

Its file alone says where its data are, beside which its password stays, and what port its clients
have: nothing of these is guessed.
"""

from __future__ import annotations

import os

from sockwake.admin import inventory
from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings, load, load_if_valid
from sockwake.errors import IN_USE, SockwakeError
from sockwake.postgres import password
from sockwake.system import files, systemctl


def settings_of(instance: Instance, *, purge: bool) -> Settings | None:
    """The settings; None of a draft, and without purge of one whose file is gone.

    Raises SockwakeError for a file with an error, which it names with the line.
    """
    if not inventory.is_finished(instance):
        return load_if_valid(instance)
    if not purge and not os.path.lexists(instance.env_file):
        return None
    try:
        return load(instance)
    except SockwakeError as error:
        if not os.path.lexists(instance.env_file):
            raise
        edit = scope.command("sockwake edit", instance.name)
        away = "" if purge else f"; without {instance.env_file} it is removed, and its data stay"
        hint = f"{edit} mends it{away}"
        raise SockwakeError(error.message, hint, error.status, error.said) from None


def data_of(instance: Instance) -> str:
    """Where the data are of one whose file is gone, "" for none.

    Raises SockwakeError when nothing tells, and their password would be lost.
    """
    if not inventory.is_finished(instance):
        return ""
    named = files.text_of(f"{instance.etc}/{inventory.DATA_NOTE}").rstrip("\n").partition(" ")[2]
    data = f"{instance.root}{named or instance.data}"
    if os.path.isdir(data):
        return data
    if password.read_password(instance) and not os.path.exists(instance.uninitialised_file):
        raise SockwakeError(
            f"there is no {instance.env_file}, which tells where the data are that the password in "
            f"{instance.password_file} is of",
            "move that file away, and keep it as long as the data",
        )
    return ""


def require_asleep(instance: Instance) -> None:
    """Raise SockwakeError (in use) when there may be clients: nothing tells what port they have."""
    if not systemctl.is_running() or not inventory.is_finished(instance):
        return
    both = instance.proxy_unit, instance.backend_unit
    units = [each for each in both if not systemctl.is_down(each)]
    if units:
        raise SockwakeError(
            f"{' and '.join(units)} may have clients, of which nothing tells without "
            f"{instance.env_file}",
            f"{scope.command('systemctl', 'stop', *units)} sends them away",
            IN_USE,
        )
