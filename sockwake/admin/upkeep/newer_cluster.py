"""A cluster of a newer version with the data of an older one, made beside it by PostgreSQL's own.

Everything is in a directory of its own in the data directory, so that links and clones are on one
file system, and all of it can be thrown away: until it is whole the old cluster is only read, but
for --method link.
"""

from __future__ import annotations

import os
import re
import time

from sockwake.admin.upkeep import old_cluster, two_clusters
from sockwake.admin.upkeep.old_cluster import Facts
from sockwake.admin.upkeep.two_clusters import NEW, WORK
from sockwake.config import scope
from sockwake.errors import SockwakeError
from sockwake.lifecycle.passing import Place, Word
from sockwake.lifecycle.passing_image import InImage
from sockwake.lifecycle.programs import TAKES_ALL, TRUST, Programs, Server
from sockwake.postgres import host_server
from sockwake.postgres.names import DATABASES, to_database
from sockwake.system import files, process

_DAY = 86_400  # seconds
_DOOR = f"{WORK}/door"  # for sockets, and a pg_hba.conf for those who reach them
_AT = "/run/door"
_DISABLED = "global/pg_control"  # which pg_upgrade --link gives another name
_SINCE_18 = 18  # checksums by default; statistics are taken along
_COLLATION_KNOWN = 15  # pg_database knows the version since
_MOST_PROBLEMS = 20  # rounds in which lines are taken out of a configuration
_MOST_LINES, _MOST_LISTED = 12, 5  # of pg_upgrade's report, and of each of its lists
_AVAILABLE = "SELECT DISTINCT name FROM pg_available_extensions"
_OTHER_COLLATION = """
SELECT datname FROM pg_database
WHERE datcollversion IS DISTINCT FROM pg_database_collation_actual_version(oid) ORDER BY 1
"""
_ENGLISH = "lc_messages=C"  # for what servers say that is looked through
_GRAVE = re.compile(r"(?m)^.*(?:error|ERROR|FATAL|PANIC):.*$")
_PROBLEM = re.compile(
    r'(?:unrecognized configuration parameter|(?:invalid value for )?parameter) "(?P<name>[^"]+)"'
    r'.* in file "[^"]*/(?P<file>[^"/]+)" line (?P<line>\d+)'
)


class NewerCluster:
    """One that is being made.

    data: the data directory. old, new: major versions. run_by: the older programs, the newer ones,
    and the newer ones with the older beside them. arguments: settings of the server's command line,
    as in "work_mem=7MB".
    """

    def __init__(
        self,
        data: str,
        old: int,
        new: int,
        run_by: tuple[Programs, Programs, Programs],
        arguments: list[str],
    ) -> None:
        self._data = data
        self._old, self._new = old, new
        self._older, self._newer, self._both = run_by
        self.arguments = arguments
        self._from = Place(data, below=two_clusters.served(old))
        self._to = Place(data, below=NEW)
        self.said: list[str] = []  # what an administrator has to know, as sentences
        self.seconds = 0.0  # that taking over the data took

    def prepare(self) -> Facts:
        """Make it, empty, with the old one's configuration; raises SockwakeError.

        Looks whether the new version can take over what is in the old one.
        """
        facts = old_cluster.ask(self._older, self._from, self._data, self.arguments)
        self._newer.user = facts.user
        for path in (WORK, f"{WORK}/work", _DOOR):
            os.mkdir(f"{self._data}/{path}", 0o700)
            os.chown(f"{self._data}/{path}", *self._newer.owner)
        hba = f"{self._data}/{_DOOR}/pg_hba.conf"
        files.write_new(hba, 0o600, TRUST, self._newer.owner[0])
        control = self._older.control_data(self._from)
        checksums = ["--data-checksums"] if control.checksums else []
        if not control.checksums and self._new >= _SINCE_18:
            checksums = ["--no-data-checksums"]
        self._newer.run(
            "initdb",
            Place(self._data, NEW, "--pgdata="),
            *(f"--username={facts.user}", "--no-instructions", *facts.locale, *checksums),
            f"--wal-segsize={control.segment >> 20}",
        )
        self._configure()
        self._require_extensions(facts)
        return facts

    def _configure(self) -> None:
        """Give it the old one's configuration, but for what the new version does not know."""
        had = f"{self._data}/{self._from.below}".rstrip("/")
        place = f"{self._data}/{NEW}"
        for name in two_clusters.configuration(had):
            process.run(
                ["cp", "--archive", "--no-target-directory", f"{had}/{name}", f"{place}/{name}"]
            )
        for _ in range(_MOST_PROBLEMS):
            words = [word for each in (*self.arguments, _ENGLISH) for word in ("-c", each)]
            try:
                self._newer.run("postgres", "-D", self._to, "-C", "data_directory", *words)
                return
            except process.ProgramError as error:
                self._mend(place, error)
        raise SockwakeError(f"the configuration in {had} is not one for PostgreSQL {self._new}")

    def _mend(self, place: str, error: process.ProgramError) -> None:
        """Take out the lines that the new version complains of; raises when that is another."""
        found = list(_PROBLEM.finditer(error.output))
        if not found:
            raise SockwakeError(
                f"PostgreSQL {self._new} does not start with the settings of the old server",
                f"{scope.command('sockwake edit')} changes those on its command line",
                said=error.said,
            ) from None
        for each in found:
            path = f"{place}/{each['file']}"
            lines = files.read_plain(path, 4 << 20).splitlines(keepends=True)
            number = int(each["line"]) - 1
            lines[number] = f"# not of PostgreSQL {self._new}: {lines[number]}"
            files.replace(path, 0o600, "".join(lines), self._newer.owner[0])
            self.said.append(
                f"{each['name']} is no setting of PostgreSQL {self._new}, and was left out"
            )

    def _require_extensions(self, facts: Facts) -> None:
        """Raise SockwakeError for extensions that the new version does not have here."""
        try:
            with self._newer.server(self._to, settings=facts.preloading) as server:
                there = set(server.sql(_AVAILABLE).split())
        except SockwakeError as error:
            raise SockwakeError(
                f"PostgreSQL {self._new} does not start as the old one did",
                "does its image, or package, have what shared_preload_libraries names?",
                said=error.whole,
            ) from None
        missing = {
            name: database
            for database, names in facts.extensions.items()
            for name in names
            if name not in there
        }
        if missing:
            listed = ", ".join(f"{name} (in database {missing[name]})" for name in sorted(missing))
            raise SockwakeError(
                f"PostgreSQL {self._new} has no extension {listed}",
                "an image, or a package, that has them; or DROP EXTENSION",
            )

    def check(self, facts: Facts, method: str) -> None:
        """Have pg_upgrade look whether it can do it; raises SockwakeError with what it found."""
        if method != "dump":
            self._pg_upgrade(facts, method, "--check")

    def fill(self, facts: Facts, method: str) -> None:
        """Take over the data; raises SockwakeError."""
        began = time.monotonic()
        if method == "dump":
            self._dump()
        else:
            self._pg_upgrade(facts, method)
        self.seconds = time.monotonic() - began

    def _pg_upgrade(self, facts: Facts, method: str, *more: str) -> None:
        newer = self._both.passing
        old_programs = host_server.binaries(self._old)
        if isinstance(newer, InImage):
            old_programs = InImage.OLDER_PROGRAMS
        options = f"-c hba_file={_AT}/pg_hba.conf -c ssl=off -c logging_collector=off -c {_ENGLISH}"
        options += "".join(f" -c {each}" for each in (*TAKES_ALL, *facts.preloading))
        words: list[Word] = [
            *(
                f"--old-bindir={old_programs}",
                f"--new-bindir={os.path.dirname(newer.program('postgres'))}",
            ),
            Place(self._data, self._from.below, "--old-datadir="),
            Place(self._data, NEW, "--new-datadir="),
            Place(f"{self._data}/{_DOOR}", prefix="--socketdir=", at=_AT),
            *(f"--username={facts.user}", f"--jobs={os.cpu_count() or 1}"),
            *(f"--old-options={options}", f"--new-options={options}"),
            *({"link": ["--link"], "clone": ["--clone"]}.get(method, [])),
            *more,
        ]
        cwd = Place(self._data, below=f"{WORK}/work")
        try:
            self._both.run("pg_upgrade", *words, cwd=cwd, lock=self._data, timeout=_DAY)
        except process.ProgramError as error:
            raise SockwakeError(
                f"pg_upgrade cannot make a cluster of PostgreSQL {self._new} of it",
                f"the newest minor release of {self._new} knows most of {self._old}",
                said=self._report(error.output),
            ) from None

    def _report(self, output: str) -> str:
        """What pg_upgrade found, in one line, with the beginning of the lists that it wrote."""
        lines = [" ".join(line.split()) for line in output.splitlines() if line.strip()]
        lines = [line for line in lines if not line.startswith("Failure, exiting")]
        last = len(lines) - _MOST_LINES
        begin = next((n for n, line in enumerate(lines) if line.endswith("fatal")), max(last, 0))
        found = lines[begin:]
        lists = []
        for folder, _, names in os.walk(f"{self._data}/{NEW}/pg_upgrade_output.d"):
            for name in sorted(names):
                if name.endswith((".txt", ".log")):
                    text = files.read_plain(f"{folder}/{name}", 4 << 20)
                    lines = _GRAVE.findall(text) if name.endswith("log") else text.splitlines()
                    lists += lines[:_MOST_LISTED]
        return " ".join([*found[:_MOST_LINES], *lists])

    def _dump(self) -> None:
        """Dump the old one with the new version's programs, and restore that."""
        dump = Place(self._data, below=f"{WORK}/work/dump.sql")
        with self._older.server(self._from, lock=self._data) as older:
            # the other one's socket, beside its own
            door = Place(older.door.path, at="/run/older-door")
            with self._newer.server(self._to, places=[door]) as newer:
                newer.run("pg_dumpall", f"--host={newer.path(door)}", f"--file={newer.path(dump)}")
                said: list[str] = []
                path = f"--file={newer.path(dump)}"
                # whatever the databases and roles of the dump have for that
                where = f"{to_database('template1')} options='-c {_ENGLISH}'"
                newer.run("psql", "--no-psqlrc", "--quiet", where, path, said=said)
                _require_restored("".join(said))

    def prove(self, facts: Facts, method: str) -> None:
        """Start it, ask every database, and make the statistics that were not taken along.

        Raises SockwakeError.
        """
        with self._newer.server(self._to, settings=facts.preloading, lock=self._data) as server:
            there = server.sql(DATABASES).splitlines()
            found = {each: int(server.sql(old_cluster.RELATIONS, each)) for each in there}
            # one that the old cluster does not have has come with initdb, as postgres
            if any(found.get(name) != count for name, count in facts.relations.items()):
                raise SockwakeError(
                    f"the cluster of PostgreSQL {self._new} does not have what was in the old one: "
                    f"{_counted(found)} tables, not {_counted(facts.relations)}"
                )
            self._note_slots(facts, server)
            self._update_extensions(server)
            self._make_statistics(server, method)
            if self._new >= _COLLATION_KNOWN and (other := server.sql(_OTHER_COLLATION)):
                names = ", ".join(other.splitlines())
                self.said.append(
                    f"the C library sorts otherwise now: indexes of {names} are "
                    "to be made anew (REINDEX, ALTER DATABASE … REFRESH COLLATION VERSION)"
                )

    def _note_slots(self, facts: Facts, server: Server) -> None:
        """Say which replication slots it has not: pg_upgrade takes logical ones, a dump none."""
        found = server.sql(old_cluster.SLOTS).splitlines() if facts.slots else []
        if gone := [each for each in facts.slots if each not in found]:
            self.said.append(f"replication slots were not taken along: {', '.join(gone)}")

    def _update_extensions(self, server: Server) -> None:
        """Run what pg_upgrade has written for extensions that have a newer version."""
        script = f"{self._data}/{WORK}/work/update_extensions.sql"
        if os.path.exists(script):
            server.execute(files.read_plain(script, 4 << 20), "template1")

    def _make_statistics(self, server: Server, method: str) -> None:
        words = ["--all", "--analyze-in-stages"]
        if method != "dump" and self._new >= _SINCE_18:
            words.append("--missing-stats-only")
        server.run("vacuumdb", "--quiet", *words)


def undo_link(data: str, old: int) -> None:
    """Make the old cluster usable again, which pg_upgrade --link has disabled.

    Only while the new one has never been started.
    """
    control = f"{data}/{two_clusters.served(old)}/{_DISABLED}"
    if os.path.exists(f"{control}.old") and not os.path.exists(control):
        os.rename(f"{control}.old", control)
        files.sync(os.path.dirname(control))


def _counted(relations: dict[str, int]) -> str:
    return ", ".join(f"{count} in {name}" for name, count in relations.items())


def _require_restored(said: str) -> None:
    """Raise SockwakeError when psql has met an error; the superuser is there already."""
    errors = [line for line in said.splitlines() if "ERROR:" in line]
    grave = [line for line in errors if not re.search(r'role "[^"]*" already exists', line)]
    if grave:
        raise SockwakeError("its dump cannot be restored", said=grave[0].partition("ERROR:")[2])
