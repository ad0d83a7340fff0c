"""psql for an instance: at the user's terminal, or for statements of ours.

It is the host's, which connects through the port as any client does; where the host has none, that
of the instance's own container, which is held awake meanwhile.
"""

from collections.abc import Sequence

from sockwake.admin.access import addresses, inside, terminal
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.errors import SockwakeError
from sockwake.lifecycle import holds, waking
from sockwake.postgres import password
from sockwake.system import files, process

APPLICATION = "sockwake passwd"  # by which pg_stat_activity has our own sessions
_PSQL = "psql"
_OURS = "-XqAt --no-password -v ON_ERROR_STOP=1 --file=-"
# in a container: the password comes in the first line of stdin, and so in no command line
_WITH_PASSWORD = 'IFS= read -r PGPASSWORD; export PGPASSWORD; exec "$@"'


def at_terminal(instance: Instance, settings: Settings, arguments: Sequence[str]) -> int:
    """Run psql, which require_psql() has found, at the user's terminal; returns its exit status.

    The host's own finds the password in a file without a name, which is gone with it. A user who
    may not read the password is asked for it.
    """
    address = addresses.local(instance, settings)
    try:
        secret = password.find_or_make(instance)
    except SockwakeError:
        secret = ""
    if not _is_on_host():
        told = _variables_inside(settings) | ({"PGPASSWORD": secret} if secret else {})
        return inside.execute(instance, settings, [_PSQL, *arguments], secret=told)
    found = terminal.environment() | address.variables()
    if secret:
        found["PGPASSFILE"] = files.unnamed(address.password_line(secret))
    return process.take_over([_PSQL, *arguments], found)


def require_psql(instance: Instance, settings: Settings) -> None:
    """Raise SockwakeError unless there is a psql: in a container, or here, with an open port."""
    if _is_on_host():
        waking.require_open(instance)
    elif not settings.is_container:
        raise SockwakeError("psql is not installed on this host", "apt install postgresql-client")


def run(
    instance: Instance, settings: Settings, secret: str, statements: str, *, timeout: float | None
) -> str:
    """Run statements as the instance's user, and return what they print; raises SockwakeError.

    Neither they nor the password are in a command line. timeout: seconds, with a wake; None for as
    long as it takes, to be interrupted at the terminal. When this process is killed, so is psql.
    """
    with_us = ["setpriv", "--pdeathsig", "KILL"]
    told = {"PGAPPNAME": APPLICATION}
    if _is_on_host():
        told |= addresses.local(instance, settings).variables() | {"PGPASSWORD": secret}
        argv = [*with_us, _PSQL, *_OURS.split()]
        return process.run(argv, env=told, stdin=statements, timeout=timeout)
    told |= _variables_inside(settings)
    words = ["sh", "-c", _WITH_PASSWORD, "sh", "env"]
    words += [f"{name}={value}" for name, value in told.items()]
    with holds.hold(instance, "passwd"):
        argv = [*with_us, *inside.without_terminal(instance, settings), *words, _PSQL]
        text = f"{secret}\n{statements}"
        return process.run([*argv, *_OURS.split()], stdin=text, timeout=timeout)


def _is_on_host() -> bool:
    return process.exists(_PSQL)


def _variables_inside(settings: Settings) -> dict[str, str]:
    """What leads psql to the server in the container of both."""
    found = {"PGUSER": settings.db_user, "PGDATABASE": settings.db_name}
    if settings.tls:  # it may listen on the loopback alone
        found |= {"PGHOST": "127.0.0.1", "PGSSLMODE": "require"}
    return found
