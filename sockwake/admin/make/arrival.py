"""What sockwake-new --from is given becomes the data of the instance that is being made.

Files are put in its data directory before anything else is made of it, and then adopted. A dump is
loaded into the cluster that was made for it, through a server that nothing else reaches. Both is
done while the instance is a draft, so that nothing is left of it when this is killed.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence

from sockwake.admin import inventory
from sockwake.admin.make import base_backup, foreign_settings
from sockwake.admin.make.origin import ARCHIVE, BACKUP, CLUSTER, DATA, TAR, Origin
from sockwake.admin.make.request import Request
from sockwake.admin.words import listed, size
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.errors import EXISTS, SockwakeError
from sockwake.kinds.table import HOST
from sockwake.postgres import adoption, cluster
from sockwake.postgres.hba import Client
from sockwake.postgres.names import identifier, to_database
from sockwake.system import deletion, files, process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.lifecycle import programs

_PURPOSE = "load"  # in the name of the unit in which a dump is loaded
_NOT_TAKEN = ("postmaster.pid", "postmaster.opts", "standby.signal")
# bash: a dump of which only a part could be unpacked is no dump
_FEED = (*("setpriv", "--pdeathsig", "KILL"), *("bash", "-o", "pipefail", "-c"))
_UNPACK = 'src=$0 alone="setpriv --pdeathsig KILL"; %s | $alone "$@"'
_PSQL = (
    "--no-psqlrc --quiet --output=/dev/null --set=ON_ERROR_STOP=1 --set=VERBOSITY=terse --file=-"
)
# what pg_dump and pg_dumpall write before and behind what they dump
_MARK = re.compile(r"-- PostgreSQL database( cluster)? dump( complete)?")
_MARKS = r"/^-- PostgreSQL database\( cluster\)\{0,1\} dump\( complete\)\{0,1\}$/w "
_NOT_MADE = ("postgres", "template1")  # databases that every cluster has


def require_empty(path: str) -> None:
    """Raise SockwakeError (exists) unless a data directory is free."""
    if os.path.lexists(path) and (not os.path.isdir(path) or deletion.entries(path)):
        raise SockwakeError(
            f"data directory {path} is not empty",
            "--from fills an empty one; --data names it",
            EXISTS,
        )


def fill(request: Request, origin: Origin, settings: Settings, *, quiet: bool) -> None:
    """Put the files of a cluster into the data directory, which is there and empty."""
    from sockwake.system import tree_copy

    data, found = settings.data, settings.cluster
    place = found if origin.form in (CLUSTER, TAR) else data
    inventory.say(f"copying {origin.path}")
    os.makedirs(place, 0o711, exist_ok=True)
    if origin.form == TAR:
        base_backup.unpack(origin.path, place)
    else:
        source = origin.path if origin.form == CLUSTER else f"{origin.path}/data"
        tree_copy.copy(os.path.realpath(source), place, quiet=quiet)
    if not os.path.exists(f"{found}/PG_VERSION"):
        raise SockwakeError(f"{origin.path} has no cluster of PostgreSQL {settings.major} in it")
    if origin.form in (CLUSTER, TAR):
        base_backup.require_all_files(origin.path, found)
    for name in _NOT_TAKEN:
        files.remove(f"{found}/{name}")
    uid = os.stat(f"{found}/PG_VERSION").st_uid or cluster.OFFICIAL_OWNER
    spec = f"{request.values['run_as']}:" if request.runtime == HOST else f"{uid}:{uid}"
    cluster.hand_over(data, found, spec)
    if origin.form != DATA and (left := foreign_settings.leave_out(found)):
        request.warnings.append(f"settings of where it was are left out: {listed(left)}")
    _require_login(request, origin, found, settings.major)
    tree_copy.sync(place)


def _require_login(request: Request, origin: Origin, found: str, major: int) -> None:
    """Raise SockwakeError unless clients could log in, or are made to."""
    if request.fix_hba:
        return
    client = Client(request.lines["DB_USER"], request.lines["DB_NAME"], bool(request.tls))
    try:
        adoption.require_login(found, major, client)
    except SockwakeError as error:
        raise SockwakeError(
            error.message.replace(found, origin.path),
            "--fix-hba mends that in the copy, where it can",
        ) from None


def load(request: Request, draft: Instance, settings: Settings) -> None:
    """Load the dump, if there is one, into the cluster made for it; raises SockwakeError."""
    origin = request.origin
    if not origin or origin.is_files:
        return
    from sockwake.lifecycle import programs
    from sockwake.lifecycle.passing import Place

    gucs = request.values["gucs"]
    assert isinstance(gucs, dict)
    # an extension may need them
    libraries = gucs.get("shared_preload_libraries")
    more = [f"shared_preload_libraries={libraries}"] if libraries else []
    data = os.path.realpath(settings.data)
    below = os.path.relpath(settings.cluster, settings.data)
    own = programs.of(draft, settings, _PURPOSE)
    inventory.say(f"loading {origin.path}, {size(_bytes(origin))}")
    with own.server(
        Place(data, below="" if below == "." else below), settings=more, lock=data
    ) as server:
        loading = Loading(origin, settings, server)
        if origin.creates:
            loading.everything()
        else:
            loading.one_database()
        server.run("vacuumdb", "--all", "--analyze-only", "--quiet")


def end(instance: Instance) -> None:
    """End the server through which a killed process has loaded a dump."""
    if os.path.isdir(f"{instance.run}/programs"):
        from sockwake.lifecycle import passing

        passing.end(instance, _PURPOSE)


def _bytes(origin: Origin) -> int:
    return files.disk_usage(origin.path) if origin.databases else os.path.getsize(origin.path)


class Loading:
    """A dump on its way into a server."""

    def __init__(self, origin: Origin, settings: Settings, server: programs.Server) -> None:
        self._origin = origin
        self._settings = settings
        self._server = server

    def one_database(self) -> None:
        """Load a dump without roles into the instance's own database, as its superuser's."""
        origin, name = self._origin, self._settings.db_name
        if origin.form == ARCHIVE:
            self._restore(origin.path, name, "--no-owner", "--no-privileges")
        else:
            self._say(origin.path, name)

    def everything(self) -> None:
        """Load a dump that makes its databases; the instance's own is made where it does not."""
        name = self._settings.db_name
        if name not in _NOT_MADE:
            self._server.sql(f"DROP DATABASE {identifier(name)}")
        if self._origin.form == BACKUP:
            self._backup()
        else:
            self._say(self._origin.path, "postgres", self.edit())
        known = self._server.sql("SELECT datname FROM pg_database").splitlines()
        if name not in known:
            self._server.sql(f"CREATE DATABASE {identifier(name)}")

    def _backup(self) -> None:
        data = f"{self._origin.path}/data"
        self._say(f"{data}/globals.sql", "postgres", self.edit())
        for name, file in self._origin.databases:
            if name in _NOT_MADE:
                self._restore(f"{data}/{file}", name)
            else:
                self._restore(f"{data}/{file}", "postgres", "--create")

    def _restore(self, path: str, database: str, *words: str) -> None:
        self._feed(path, ["pg_restore", "--exit-on-error", to_database(database), *words])

    def _say(self, path: str, database: str, edit: str = "") -> None:
        """Have psql say what is in a file of SQL; raises SockwakeError for one that is cut, too.

        edit: a script of sed's, which it passes through.
        """
        with tempfile.NamedTemporaryFile(prefix="sockwake-marks-") as marks:
            script = f"{edit}\n{_MARKS}{marks.name}"
            self._feed(path, ["psql", *_PSQL.split(), to_database(database)], script)
            require_whole(path, marks.read().decode())

    def edit(self) -> str:
        """What leaves out of a dump's roles that which this cluster has, or is to keep.

        The roles come first. The superuser is there, and keeps the password of the instance. Of
        pg_dumpall --clean the databases that every cluster has are dropped where they are made.
        """
        user, there = _pattern(self._settings.db_user), "\\|".join(_NOT_MADE)
        edits = (
            rf"/^DROP DATABASE \({there}\);$/!{{/^DROP \(ROLE\|DATABASE\|TABLESPACE\) /d}}",
            f"/^CREATE ROLE {user};$/d",
            rf"s/^\(ALTER ROLE {user} WITH .*\) PASSWORD '[^']*'/\1/",
        )
        return rf"1,/^\\connect /{{{';'.join(edits)}}}"

    def _feed(self, path: str, words: Sequence[str], edit: str = "") -> None:
        """Have a client beside the server read a file; raises SockwakeError with what it said."""
        argv = self._server.argv(*words)
        reader = self._origin.packed or "cat"
        how = f'$alone {reader}{" -dc" if self._origin.packed else ""} <"$src"'
        more = [f"EDIT={edit}"] if edit else []
        if edit:
            how += ' | $alone sed "$EDIT"'
        try:
            process.run(["env", *more, *_FEED, _UNPACK % how, path, *argv], timeout=None, cwd="/")
        except process.ProgramError as error:
            raise SockwakeError(
                f"{path} could not be loaded, and nothing was kept of it",
                _way_out(error.said),
                said=error.said,
            ) from None


def require_whole(path: str, marks: str) -> None:
    """Raise SockwakeError unless all that was begun in a dump has its end. marks: lines of it.

    Those of what was packed behind a pg_dump that had failed, as in `pg_dump | gzip`, do not.
    """
    found = [_MARK.fullmatch(line) for line in marks.splitlines()]
    for of in (None, " cluster"):
        ends = [mark[2] for mark in found if mark and mark[1] == of]
        if ends.count(None) > len(ends) - ends.count(None):
            raise SockwakeError(
                f"{path} is cut, and nothing was kept of it: it does not end as a dump does",
                "dump it again",
            )


def _way_out(said: str) -> str:
    """What helps against an error of the server's."""
    if re.search(r"role .+ does not exist", said):
        return "pg_dumpall has all roles in its dump, and pg_dump --no-owner --no-privileges none"
    if "extension" in said or "could not open" in said:
        return "--image names an image that has it"
    return "mend what it says, in the dump or by other options"


def _pattern(user: str) -> str:
    """A role's name in a dump, quoted or not, for sed."""

    def literal(text: str) -> str:
        return re.sub(r"([.*\[\]^$/\\])", r"\\\1", text)

    return f"\\({literal(user)}\\|{literal(identifier(user))}\\)"
