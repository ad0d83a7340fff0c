"""sockwake passwd: another password, in the database and in its file or in neither.

The new password is written beside the file first, as "password.new". Then a process of its own
session, which a signal to this one does not end, has the database take it, and renames the file.
Whatever is killed in between, what goes on finds out which of the two lets in, and goes by that:
this process when that one is killed, or the next command that connects when both are.
"""

import os
import sys

from sockwake.admin import inventory
from sockwake.admin.access import addresses, beside, client
from sockwake.config import forwarding
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings, load
from sockwake.errors import SockwakeError
from sockwake.postgres import password, scram
from sockwake.system import files

_PATIENCE = 60  # seconds for a statement
# of our own sessions that were cut off: what they have been asked may still be done
_END_OTHERS = f"""
select pg_terminate_backend(pid) from pg_stat_activity
where application_name = '{client.APPLICATION}' and pid <> pg_backend_pid();
do $$ begin
  for i in 1..500 loop
    exit when not exists (select from pg_stat_activity
      where application_name = '{client.APPLICATION}' and pid <> pg_backend_pid());
    perform pg_sleep(0.02), pg_stat_clear_snapshot();
  end loop;
end $$;
"""


def rotate(name: Name, new: str) -> str:
    """Give an instance another password, "" for a random one; returns a sentence without it.

    Raises SockwakeError with nothing changed.
    """
    with inventory.held(name) as instance:
        inventory.require_finished(instance)
        settings = load(instance)
        addresses.require_postgres(instance, settings)
        forwarding.require_none(instance)  # another server's password is not in this file
        password.require_password(instance)
        client.require_psql(instance, settings)
        settle(instance, settings)
        old = password.require_password(instance)
        _require_login(instance, settings, old)
        place = _place(instance)
        _write_beside(place, new or password.new_password().strip())
        try:
            beside.run(lambda: _change(instance, settings, old))
        except beside.Killed:
            settle(instance, settings)
            if password.read_password(instance) == old:
                raise
        return f"{name} has a new password, in {instance.password_file}"


def given(path: str) -> str:
    """The password in the first line of a file, "-" for stdin; raises SockwakeError."""
    if path == "-":
        text = sys.stdin.readline(password.LONGEST + 3)
    else:
        with open(path, encoding="utf-8") as file:
            text = file.readline(password.LONGEST + 3)
    where = f"the first line of {'the standard input' if path == '-' else path}"
    return password.require_line(text, where)


def settle_begun(instance: Instance, settings: Settings) -> None:
    """Settle what a passwd that was killed has left; of one at work the end is awaited.

    Not while clients are led to another server, which knows neither of the two.
    """
    if forwarding.is_there(instance):
        return
    if os.path.lexists(f"{_place(instance)}.new") and os.access(instance.etc, os.W_OK):
        with inventory.held(instance.name):
            settle(instance, settings)


def settle(instance: Instance, settings: Settings) -> None:
    """Finish or undo a rotation that was killed, by which of the two passwords lets in.

    Raises SockwakeError when neither does: then the next call decides.
    """
    place = _place(instance)
    if not os.path.lexists(f"{place}.new"):
        return
    begun, old = files.text_of(f"{place}.new").strip(), password.read_password(instance)

    def failure_of(secret: str, statements: str = "select 1") -> SockwakeError | None:
        return _failure(instance, settings, secret, statements)

    if begun and not failure_of(begun):
        _take_place(instance, settings, begun)
    elif failure := failure_of(old, _END_OTHERS):
        raise _unsettled(instance, failure)
    elif not (failure := failure_of(old)):
        files.remove(f"{place}.new")
    elif begun and not failure_of(begun):  # taken between two looks
        _take_place(instance, settings, begun)
    else:
        raise _unsettled(instance, failure)


def _unsettled(instance: Instance, failure: SockwakeError) -> SockwakeError:
    return SockwakeError(
        f"a change of the password of '{instance.name}' was interrupted, and neither the new one "
        f"in {_place(instance)}.new nor the old one lets in",
        "write the one that does into the file without .new, and remove that with it",
        said=failure.said or failure.message,
    )


def _place(instance: Instance) -> str:
    """The file with the password, where a link leads to another."""
    return os.path.realpath(instance.password_file)


def _require_login(instance: Instance, settings: Settings, secret: str) -> None:
    """Wake the instance, and raise SockwakeError unless the password lets in."""
    if failure := _failure(instance, settings, secret, "select 1"):
        raise SockwakeError(
            f"cannot log in to '{instance.name}' with the password in {instance.password_file}",
            f"should it not be that of {settings.db_user}, write that into the file",
            said=failure.said or failure.message,
        )


def _failure(
    instance: Instance, settings: Settings, secret: str, statements: str
) -> SockwakeError | None:
    """Why a password does not let in, or statements fail; None when they do not."""
    try:
        client.run(instance, settings, secret, statements, timeout=None)
    except SockwakeError as error:
        return error
    return None


def _write_beside(place: str, new: str) -> None:
    """Write the new password beside the old one, with its owner and mode."""
    was = os.stat(place)
    files.remove(f"{place}.new")
    files.write_new(f"{place}.new", 0o600, f"{new}\n")
    os.chown(f"{place}.new", was.st_uid, was.st_gid)
    os.chmod(f"{place}.new", was.st_mode & 0o777)
    files.sync(os.path.dirname(place))


def _change(instance: Instance, settings: Settings, old: str) -> None:
    """Have the database take the password that is written beside the old one, and the file too."""
    new = files.text_of(f"{_place(instance)}.new").strip()
    try:
        client.run(instance, settings, old, scram.statement(new), timeout=_PATIENCE)
    except SockwakeError as error:
        settle(instance, settings)
        if password.read_password(instance) == new:
            return
        raise SockwakeError(
            f"the database refuses another password for {settings.db_user}, and keeps the old one",
            said=error.said,
        ) from None
    _take_place(instance, settings, new)


def _take_place(instance: Instance, settings: Settings, new: str) -> None:
    """Put the new password in place of the old one, and into the file for libpq if there is one."""
    place = _place(instance)
    os.rename(f"{place}.new", place)
    files.sync(os.path.dirname(place))
    if password.has_copy(settings.data):
        password.keep_copy(instance, settings.data)
    addresses.renew_password_line(instance, settings, new)
