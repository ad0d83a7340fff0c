"""PostgreSQL's own programs, run once, on a cluster that its instance's server does not serve.

With the programs of an image, in a container that crun runs, or with those of the host, in a
sandbox: as the cluster's user, without a network, seeing nothing but the directories that are
named, and in both cases in a passing unit of systemd's, which is ended by its name when the process
that began it was killed.

    own = programs.of(instance, settings, "verify")
    print(own.run("pg_checksums", "--check", Place(cluster, is_writable=False)))
    with own.server(Place(data, below="18/docker")) as server:
        print(server.sql("SELECT 1"))
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.lifecycle import image_source
from sockwake.lifecycle.passing import OnHost, Passing, Place, Run, Word
from sockwake.lifecycle.passing_image import InImage
from sockwake.oci import bundle, store
from sockwake.oci.store import Image
from sockwake.postgres import controldata, host_server
from sockwake.postgres.controldata import ControlData
from sockwake.postgres.names import BEGINNINGS, to_database
from sockwake.system import files, process

_HOUR = 3600  # seconds
_START = 600  # seconds for a throw-away server to have replayed its WAL
_PSQL = (
    *("--no-psqlrc", "--quiet", "--no-align", "--tuples-only"),
    *("--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse"),
)
_WRONG = re.compile(r"(?i)\b(?:error|fatal|panic):")
_DOOR = "/run/door"  # where a server has the directory of its socket
_HBA = "pg_hba.conf"
# its socket is in a directory that only root and itself can reach
TRUST = "local all all trust\n"
# a throw-away server is nobody's: no jobs of extensions, no archive, no subscriptions, no language
# and it starts where the everyday server does by settings of its command line, whatever these are
TAKES_ALL = ("wal_level=logical", "max_prepared_transactions=1000", "max_replication_slots=1000")
_OWN = (
    *TAKES_ALL,
    *("listen_addresses=", "ssl=off", "logging_collector=off", "log_destination=stderr"),
    *("archive_mode=off", "autovacuum=off", "max_logical_replication_workers=0"),
    *("shared_preload_libraries=", "unix_socket_permissions=0700", "port=5432", "lc_messages=C"),
)


class Programs:
    """The programs of one major version, for clusters of one user.

    passing: what runs them. user: the superuser of the clusters. owner: (uid, gid) of their files.
    """

    def __init__(self, passing: Passing, user: str, owner: tuple[int, int]) -> None:
        self.passing = passing
        self.user = user
        self.owner = owner

    def run(
        self,
        program: str,
        *words: Word,
        places: Sequence[Place] = (),
        cwd: Place | None = None,
        lock: str = "",
        timeout: float = _HOUR,
        said: list[str] | None = None,
        stdin: str | None = None,
    ) -> str:
        """Run a program of PostgreSQL's and return its stdout; raises ProgramError, or Overdue.

        program: its name, or the path that it sees itself at. words: its arguments; a Place among
        them is the path that the program sees it at. places: others that it sees. cwd: where it
        runs. lock: the data directory that is locked until it has ended, also when this process is
        killed; this process has not locked it then. timeout: seconds. said: gets its stderr.
        stdin: what it reads there.
        """
        path = program if "/" in program else self.passing.program(program)
        run = Run((path, *words), self.owner, places, cwd, lock)
        return self.passing.run(run, timeout=timeout, said=said, stdin=stdin)

    def control_data(self, cluster: Place) -> ControlData:
        """What pg_controldata tells of a cluster; raises SockwakeError."""
        said: list[str] = []
        text = self.run(controldata.PROGRAM, cluster, timeout=60, said=said)
        return controldata.parse(text + "".join(said))

    @contextmanager
    def server(
        self,
        cluster: Place,
        *,
        places: Sequence[Place] = (),
        settings: Sequence[str] = (),
        lock: str = "",
        timeout: float = _START,
    ) -> Iterator[Server]:
        """A server on a cluster for a with statement, which only the statement reaches.

        settings: more of its settings, as in "work_mem=7MB", which count before its own files.
        lock: as for run(). timeout: seconds until it takes queries. Raises SockwakeError with what
        the server said when it does not start.
        """
        passing, owner = self.passing, self.owner
        door = Place(f"{passing.directory}/door", at=_DOOR)
        sees = passing.seen(door)
        own = [*_OWN, f"unix_socket_directories={sees}", f"hba_file={sees}/{_HBA}", *settings]
        words: list[Word] = [passing.program("postgres"), "-D", cluster]
        words += [word for each in own for word in ("-c", each)]

        passing.prepare()
        try:
            os.mkdir(door.path, 0o700)
            os.chown(door.path, *owner)
            files.write_new(f"{door.path}/{_HBA}", 0o600, TRUST, owner[0])
            passing.start(Run(words, owner, [*places, door], lock=lock))
            passing.await_server(f"{door.path}/.s.PGSQL.5432", self.user, timeout)
            yield Server(passing, door, self.user, owner)
        finally:
            passing.end()


class Server:
    """A throw-away server that takes queries."""

    def __init__(self, passing: Passing, door: Place, user: str, owner: tuple[int, int]) -> None:
        self.door = door
        self._passing = passing
        self._user = user
        self._owner = owner
        self._beginning, self._otherwise = BEGINNINGS

    def path(self, place: Place) -> str:
        """The path at which a client beside the server sees a place that the server sees."""
        return self._passing.seen_beside(place)

    def argv(self, program: str, *words: str) -> list[str]:
        """The command that runs a client of PostgreSQL's beside the server, to be run in "/"."""
        where = ["--port=5432", f"--username={self._user}", "--no-password"]
        return [*self._passing.beside(program, self.door, self._owner), *where, *words]

    def sql(self, query: str, database: str = "") -> str:
        """The rows of an SQL statement, a line each, the columns with "|" between them.

        database: "" for one that there is. Raises SockwakeError with what the server said.
        """
        return self._psql([*_PSQL, f"--command={query}"], database).rstrip("\n")

    def execute(self, statements: str, database: str = "") -> None:
        """Run SQL statements that no list of processes shows; raises SockwakeError as sql()."""
        words = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]
        self._psql(words, database, statements)

    def _psql(self, words: Sequence[str], database: str, stdin: str | None = None) -> str:
        try:
            where = to_database(database or self._beginning)
            return self.run("psql", *words, where, stdin=stdin)
        except process.ProgramError as error:
            is_gone = f'database "{self._beginning}" does not exist' in error.output
            if database or not is_gone or self._beginning == self._otherwise:
                raise
        self._beginning = self._otherwise
        return self._psql(words, database, stdin)

    def run(
        self, program: str, *words: str, stdin: str | None = None, said: list[str] | None = None
    ) -> str:
        """Run a client of PostgreSQL's beside the server, and return its stdout.

        stdin: what it reads there. said: gets its stderr. Raises ProgramError, or Overdue.
        """
        try:
            argv = self.argv(program, *words)
            return process.run(argv, timeout=_HOUR, stdin=stdin, aside=said, cwd="/")
        except process.ProgramError as error:
            said = [line for line in error.output.splitlines() if _WRONG.search(line)]
            what = said[0] if said else error.output  # what is behind that tells only where
            raise process.ProgramError([program], error.returned, what) from None


def has_complained(output: str) -> bool:
    """Whether a program of PostgreSQL's has said itself what is wrong.

    One that was killed, or never ran, has not: of what it was to read that tells nothing.
    """
    return bool(_WRONG.search(output))


def of(
    instance: Instance,
    settings: Settings,
    purpose: str,
    *,
    image: Image | None = None,
    major: int = 0,
    older: Image | None = None,
    older_major: int = 0,
    owner: tuple[int, int] | None = None,
) -> Programs:
    """The programs of the server that wakes an instance with a PostgreSQL; raises SockwakeError.

    purpose: a word, which is in the name of the passing unit; of one purpose one runs at a time.
    image, major: of another image, or of another version of the host's. older, older_major: an
    image of another version, which is beside that one then (InImage). owner: (uid, gid) of the
    cluster, when it is not the owner of the instance's own.
    """
    if owner is None:
        made = os.stat(f"{settings.cluster}/PG_VERSION")
        owner = made.st_uid, made.st_gid
    major = major or settings.major
    if settings.is_container:
        image = image or image_of(instance, settings)
        runs: Passing = InImage(instance, purpose, image, major, older, older_major)
    else:
        host_server.require_installed(major)
        runs = OnHost(instance, purpose, major)
    return Programs(runs, settings.db_user, owner)


def image_of(instance: Instance, settings: Settings, *, quiet: bool = True) -> Image:
    """The image of an instance's server in the store; raises SockwakeError.

    For one that an engine wakes it is copied there first.
    """
    if settings.is_bundled and (image := store.find(bundle.image_of(instance), instance.root)):
        return image
    return image_source.obtain(instance, settings, settings.image, may_pull=False, quiet=quiet)
