"""The password that systemd has for an instance: the credential sockwake.NAME.password.

It may be in the credential store, plain or encrypted, or come from outside: from SMBIOS, from the
kernel's command line, a container manager or cloud-init (systemd.exec(5), "CREDENTIALS").
"""

from __future__ import annotations

import os

from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.errors import SockwakeError
from sockwake.system import files, process, systemctl

_UNREADABLE = 243  # EXIT_CREDENTIALS of systemd.exec(5)
_PATIENCE = 60  # seconds, with a TPM that has to decrypt it
# systemd.exec(5), ImportCredential=: the first counts
STORES = ("/etc/credstore", "/run/credstore", "/usr/lib/credstore")
_PLACES = (
    *("/run/credentials/@system", "/run/credentials/@encrypted"),
    *(*STORES, *(f"{store}.encrypted" for store in STORES)),
)
_SCRIPT = '[ ! -e "$CREDENTIALS_DIRECTORY/$0" ] || exec cat "$CREDENTIALS_DIRECTORY/$0"'


def name_of(instance: Instance) -> str:
    """The credential's name."""
    return f"sockwake.{instance.name}.password"


def path_of(instance: Instance) -> str:
    """The file of the machine that has the credential, which may be encrypted; "" for none."""
    paths = (f"{place}/{name_of(instance)}" for place in _PLACES)
    return "" if scope.is_user() else next(filter(os.path.exists, paths), "")


def is_encrypted(path: str) -> bool:
    """Whether the credential in one of its files is encrypted."""
    return os.path.dirname(path).endswith("encrypted")


def content(instance: Instance) -> str:
    """What is in the credential, "" when there is none; raises SockwakeError when it is unreadable.

    Read by a passing unit, which imports it as any unit would, and not by that of the instance: a
    unit that may have credentials gets a file system for them at each start, which every wake would
    wait for. One that a drop-in gives to the instance's own unit counts before.
    """
    name = name_of(instance)
    own = f"{os.environ.get('CREDENTIALS_DIRECTORY') or '/nowhere'}/{name}"
    if os.path.exists(own):
        return files.text_of(own)
    if instance.root or scope.is_user() or not systemctl.is_running():
        return ""
    unit = f"sockwake-credential-{instance.name}"
    switches = "--quiet --wait --pipe --collect --expand-environment=no"
    argv = [
        "systemd-run",
        *switches.split(),
        f"--unit={unit}-{os.getpid()}",
        f"--description=Password of '{instance.name}', if there is a credential",
        f"--property=ImportCredential={name}",
    ]
    try:
        told = process.run([*argv, "/bin/sh", "-c", _SCRIPT, name], timeout=_PATIENCE)
        if told or not path_of(instance):  # systemd 262 goes on without one that it cannot decrypt
            return told
    except process.ProgramError as error:
        if error.returned != _UNREADABLE:
            raise
    raise SockwakeError(
        f"the credential {name} cannot be read",
        f"{scope.command('journalctl', '-u', f'{unit}-*')} has why; without it a password is made",
    )
