"""What a server that is awake tells of its data: by pg_basebackup(1), and by pg_dump(1).

Both run where the server does, with its own versions, through its own socket; what they print is
written here. The instance is held awake meanwhile.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import ExitStack

from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.errors import SockwakeError, is_of_no_room
from sockwake.lifecycle import holds
from sockwake.lifecycle.beside_server import Beside, beside
from sockwake.postgres import control_file, password
from sockwake.postgres.names import CLOSED, DATABASES, require_none, to_database
from sockwake.system import files, process, tree_copy

ROOM = "the backups expire, or a link to a larger file system makes room"  # the way out without
_LOGIN = (
    "is the password in its password file the superuser's, and does pg_hba.conf let it replicate?"
)
_PASSFILE = ".pgpass-backup"
_OUTSIDE = "--quiet --collect --wait --pipe"
_PATIENCE = 60  # seconds for a question
_INTO_FILE = 'exec "$@" >"$0"'
# neither goes on when this process is killed: it would write into what the next backup deletes
_UNPACKED = (
    'alone="setpriv --pdeathsig KILL"; '
    '$alone "$@" | $alone tar --extract --numeric-owner --preserve-permissions --directory "$0"'
)


class Server:
    """The server of an instance, which is woken and held awake within a with statement."""

    def __init__(self, instance: Instance, settings: Settings) -> None:
        self._instance = instance
        self._settings = settings
        self._stack = ExitStack()
        self._beside: Beside | None = None

    def __enter__(self) -> Server:
        secret = password.require_password(self._instance)
        with ExitStack() as stack:
            stack.enter_context(holds.hold(self._instance, "backup"))
            beside_it = beside(self._instance, self._settings, secret, _PASSFILE)
            self._beside = stack.enter_context(beside_it)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def base_backup(self, path: str) -> dict[str, object]:
        """Have pg_basebackup fill data/ of a backup; returns what its status says of it."""
        cluster = _made_like(self._settings, f"{path}/data")
        words = ["--pgdata=-", "--format=tar", "--wal-method=fetch", "--checkpoint=fast"]
        words += ["--label=sockwake backup"]
        argv = self._argv("pg_basebackup", *words)
        self._run(["bash", "-o", "pipefail", "-c", _UNPACKED, cluster, *argv], path)
        found = control_file.read(cluster)
        if not found or not os.path.exists(f"{cluster}/backup_label"):
            raise SockwakeError("pg_basebackup has left no whole cluster")
        # in a tar archive pg_basebackup gives it to a user that there is not
        owner = os.stat(f"{cluster}/PG_VERSION")
        os.chown(f"{cluster}/backup_manifest", owner.st_uid, owner.st_gid)
        return {"token": "", "is_shut_down": False}

    def dump(self, path: str) -> dict[str, object]:
        """Have pg_dump fill data/ of a backup, a file for each database, and one of globals."""
        psql = self._argv("psql", "--no-psqlrc", "-At", to_database(self._settings.db_name))
        names = process.run([*psql, "-c", DATABASES], timeout=_PATIENCE).splitlines()
        closed = process.run([*psql, "-c", CLOSED], timeout=_PATIENCE).splitlines()
        require_none(closed, self._instance.name)
        dumped = []
        self._into(f"{path}/data/globals.sql", "pg_dumpall", "--globals-only")
        for name in names:
            file = f"{name.replace('%', '%25').replace('/', '%2F')}.dump"
            words = ["--format=custom", "--create", to_database(name)]
            self._into(f"{path}/data/{file}", "pg_dump", *words)
            dumped.append({"name": name, "file": file, "sha256": digest(f"{path}/data/{file}")})
        known = {"globals_sha256": digest(f"{path}/data/globals.sql")}
        return {"token": "", "databases": dumped, **known}

    def _into(self, file: str, program: str, *words: str) -> None:
        files.write_new(file, 0o600, "")
        owner = os.stat(f"{self._settings.cluster}/PG_VERSION")
        for path in (os.path.dirname(file), file):  # its programs can read them, as any data
            os.chown(path, owner.st_uid, owner.st_gid)
        alone = ["setpriv", "--pdeathsig", "KILL"]
        argv = [*alone, "sh", "-c", _INTO_FILE, file, *self._argv(program, *words)]
        self._run(argv, os.path.dirname(file))

    def _argv(self, program: str, *words: str) -> list[str]:
        if not self._beside:
            raise RuntimeError("outside of its with statement")
        # an engine of a user's own is outside of the user namespace that has the files
        outside = ["systemd-run", "--user", *_OUTSIDE.split()] if scope.is_user() else []
        return [*outside, *self._beside.argv(program, *words)]

    def _run(self, argv: list[str], target: str) -> None:
        """Run a program for what it writes; raises SockwakeError that has what it said."""
        try:
            tree_copy.run(argv, target)
        except process.ProgramError as error:
            raise SockwakeError(
                f"the server of '{self._instance.name}' could not be backed up",
                ROOM if is_of_no_room(error.output) else _LOGIN,
                said=error.said,
            ) from None


def digest(path: str) -> str:
    """The SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _made_like(settings: Settings, data: str) -> str:
    """Make the directories of a cluster in a backup as they are in the instance; returns it."""
    below = os.path.relpath(settings.cluster, settings.data)
    made, like = data, os.path.realpath(settings.data)
    for part in ("", *(below.split("/") if below != "." else ())):
        made, like = (f"{made}/{part}", f"{like}/{part}") if part else (made, like)
        os.makedirs(made, exist_ok=True)
        known = os.stat(like)
        os.chown(made, known.st_uid, known.st_gid)
        shutil.copymode(like, made)
    return made
