"""The upkeep that a server does while it is awake: vacuum, analyze, reindex, in every database."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence

from sockwake.errors import SockwakeError
from sockwake.lifecycle import upkeep
from sockwake.lifecycle.beside_server import Beside
from sockwake.postgres import maintenance
from sockwake.system import process

_PSQL = ("--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=VERBOSITY=terse")
_QUESTION = 600  # seconds
_LONGEST = 7 * 86_400  # seconds for one statement
_AUTOVACUUM = 180  # seconds: three times autovacuum_naptime as it is by default
_LOOK_EVERY = 5  # seconds
_MOST_PROBLEMS = 3  # that are told


class InServer:
    """The upkeep of one server. major: its version. is_over: whether nothing more may begin.

    done, problems: what was done and what could not be, each as the end of a sentence.
    """

    def __init__(self, beside: Beside, major: int, is_over: Callable[[], bool]) -> None:
        self._beside = beside
        self._major = major
        self._is_over = is_over
        self.done: list[str] = []
        self.problems: list[str] = []

    def work(self, *, has_all: bool) -> None:
        """Do what is due in each database; raises SockwakeError when the server cannot be asked.

        has_all: whether template0, too, is so old that it is for autovacuum to freeze.
        """
        names = self._list(maintenance.DATABASES, "postgres")
        counted = {"reindexed": 0, "vacuumed": 0, "analyzed": 0}
        for name in names:
            if self._is_over():
                self.done.append(f"left {name} and what is behind it for the next window")
                break
            counted["reindexed"] += self._reindex(name)
            for words in self._vacuum(name):
                counted["analyzed" if words.startswith("ANALYZE") else "vacuumed"] += 1
        of = {"reindexed": "index", "vacuumed": "table", "analyzed": "table"}
        self.done += [f"{what} {_counted(n, of[what])}" for what, n in counted.items() if n]
        if has_all:
            self._await_autovacuum()

    def position(self) -> int:
        """How far its WAL has come, in bytes."""
        return int(self._ask(maintenance.POSITION, "postgres"))

    def _vacuum(self, database: str) -> list[str]:
        query = maintenance.vacuum(upkeep.FREEZE_AGE // 2, upkeep.MULTI_AGE // 2)
        return self._each(self._list(query, database), database)

    def _reindex(self, database: str) -> int:
        """Rebuild what a new C library would sort otherwise, and note that; how many indexes."""
        indexes = self._list(maintenance.reindex(self._major), database)
        rebuilt = self._each(indexes, database)
        if len(rebuilt) == len(indexes):
            self._each(self._list(maintenance.refresh(self._major), database), database)
        for left in self._list(maintenance.LEFT, database):
            self.problems.append(f"in {database}: {left} is left of a REINDEX: DROP INDEX {left}")
        return len(rebuilt)

    def _each(self, statements: Sequence[str], database: str) -> list[str]:
        """Run statements, one after the other; returns those that were run without an error."""
        run = []
        for statement in statements:
            if self._is_over():
                break
            text = ";\n".join([*maintenance.settings(self._major), statement]) + ";\n"
            try:
                self._psql(database, "--set=ON_ERROR_STOP=1", stdin=text, timeout=_LONGEST)
            except process.ProgramError as error:
                self.problems.append(f"in {database}: {statement}: {error.said}")
            else:
                run.append(statement)
        return run

    def _await_autovacuum(self) -> None:
        """Stay until autovacuum has frozen what lets nobody in, for some minutes at most."""
        deadline = time.monotonic() + _AUTOVACUUM
        while int(self._ask(maintenance.UNREACHABLE, "postgres")) >= upkeep.WRAPAROUND_AGE:
            if time.monotonic() > deadline or self._is_over():
                self.done.append("left template0 to autovacuum, which had no time for it")
                return
            time.sleep(_LOOK_EVERY)

    def failure(self) -> str:
        """The problems, in words; "" when there were none."""
        more = len(self.problems) - _MOST_PROBLEMS
        told = self.problems[:_MOST_PROBLEMS] + ([f"and {more} more"] if more > 0 else [])
        return "; ".join(told)

    def _list(self, query: str, database: str) -> list[str]:
        try:
            return [str(each) for each in json.loads(self._ask(query, database))]
        except ValueError:
            raise SockwakeError("PostgreSQL's answer makes no sense") from None

    def _ask(self, query: str, database: str) -> str:
        return self._psql(database, f"--command={query}", timeout=_QUESTION).strip()

    def _psql(self, database: str, *words: str, timeout: float, stdin: str | None = None) -> str:
        name = database.replace("\\", "\\\\").replace("'", "\\'")
        argv = self._beside.argv("psql", *_PSQL, f"--dbname=dbname='{name}'", *words)
        return process.run(argv, stdin=stdin, timeout=timeout)


def _counted(number: int, what: str) -> str:
    many = {"index": "indexes", "table": "tables"}[what]
    return f"{number} {what if number == 1 else many}"
