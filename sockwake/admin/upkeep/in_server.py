"""The upkeep that a server does while it is awake: vacuum, analyze, reindex, in every database."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence

from sockwake.admin.upkeep.from_outside import FromOutside
from sockwake.admin.words import listed
from sockwake.errors import SockwakeError
from sockwake.lifecycle import upkeep
from sockwake.lifecycle.beside_server import Beside
from sockwake.postgres import maintenance
from sockwake.postgres.names import BEGINNINGS, CLOSED, IN_UTF8, to_database
from sockwake.system import process

_PSQL = ("--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=VERBOSITY=terse")
_STRICTLY = "--set=ON_ERROR_STOP=1"
_QUESTION = 600  # seconds
_LONGEST = 7 * 86_400  # seconds for one statement
_AUTOVACUUM = 180  # seconds: three times autovacuum_naptime as it is by default
_LOOK_EVERY = 5  # seconds
_AT_A_TIME = 20  # statements
_ERROR = "error: "  # what a line of ours begins with
# psql knows by itself whether a statement failed; the server says it in the language of lc_messages
_TOLD = f"\\if :ERROR\n\\echo '{_ERROR}' :LAST_ERROR_MESSAGE\n\\endif\n"
_SINCE_ERROR = 11  # the version whose psql knows; before it is the word of an English server
# so that the cluster is not due again soon
_FREEZE_AGE, _MULTI_AGE = upkeep.FREEZE_AGE // 2, upkeep.MULTI_AGE // 2
_MOST_PROBLEMS = 3  # that are told


class InServer:
    """The upkeep of one server. reached: how. major: its version.

    is_over: whether nothing more may begin.
    done, problems: what was done and what could not be, each as the end of a sentence.
    """

    def __init__(
        self, reached: Beside | FromOutside, major: int, is_over: Callable[[], bool]
    ) -> None:
        self._reached = reached
        self._major = major
        self._is_over = is_over
        self.done: list[str] = []
        self.problems: list[str] = []

    def work(self, *, has_all: bool) -> None:
        """Do what is due in each database; raises SockwakeError when the server cannot be asked.

        has_all: whether template0, too, is so old that it is for autovacuum to freeze.
        """
        databases = self._list(maintenance.DATABASES)
        counted = {"reindexed": 0, "vacuumed": 0, "analyzed": 0}
        for name in databases:
            if self._is_over():
                self.done.append(f"left {name} and what is behind it for the next window")
                break
            counted["reindexed"] += self._reindex(name)
            tables = self._list(maintenance.vacuum(_FREEZE_AGE, _MULTI_AGE), name)
            vacuumed = [each for each in tables if each.startswith("VACUUM")]
            counted["vacuumed"] += self._each(vacuumed, name)
            counted["analyzed"] += self._each([t for t in tables if t not in vacuumed], name)
        of = {"reindexed": "index", "vacuumed": "table", "analyzed": "table"}
        self.done += [f"{what} {_counted(n, of[what])}" for what, n in counted.items() if n]
        if closed := self._ask(CLOSED).splitlines():
            self.done.append(f"left {listed(closed)} alone, which allows no connections")
        if has_all:
            self._await_autovacuum()
            self._ask("CHECKPOINT")  # pg_control tells how old it is

    def position(self) -> int:
        """How far its WAL has come, in bytes."""
        return int(self._ask(maintenance.POSITION))

    def _reindex(self, database: str) -> int:
        """Rebuild what a new C library would sort otherwise, and note that; how many indexes."""
        indexes = self._list(maintenance.reindex(self._major), database)
        rebuilt = self._each(indexes, database)
        if rebuilt == len(indexes):
            self._each(self._list(maintenance.refresh(self._major), database), database)
        for left in self._list(maintenance.LEFT, database):
            self.problems.append(f"in {database}: {left} is left of a REINDEX: DROP INDEX {left}")
        return rebuilt

    def _each(self, statements: Sequence[str], database: str) -> int:
        """Run statements, one after the other; returns how many ended without an error."""
        done = 0
        for at in range(0, len(statements), _AT_A_TIME):
            if self._is_over():
                break
            some = statements[at : at + _AT_A_TIME]
            every = [*maintenance.settings(self._major), *some]
            text = IN_UTF8 + "".join(f"{each};\n{_TOLD}" for each in every)
            said: list[str] = []
            lines = self._psql(database, stdin=text, timeout=_LONGEST, said=said).splitlines()
            errors = [line.removeprefix(_ERROR) for line in lines if line.startswith(_ERROR)]
            if self._major < _SINCE_ERROR:
                lines = "".join(said).splitlines()
                errors = [line.partition("ERROR:")[2] for line in lines if "ERROR:" in line]
            self.problems += [f"in {database}: {each.strip()}" for each in errors]
            done += len(some) - len(errors)
        return done

    def _await_autovacuum(self) -> None:
        """Stay until autovacuum has frozen what lets nobody in, for some minutes at most."""
        deadline = time.monotonic() + _AUTOVACUUM
        while int(self._ask(maintenance.UNREACHABLE)) >= upkeep.WRAPAROUND_AGE:
            if time.monotonic() > deadline or self._is_over():
                left = "left what allows no connections to autovacuum, which had no time for it"
                self.done.append(left)
                return
            time.sleep(_LOOK_EVERY)

    def failure(self) -> str:
        """The problems, in words; "" when there were none."""
        more = len(self.problems) - _MOST_PROBLEMS
        told = self.problems[:_MOST_PROBLEMS] + ([f"and {more} more"] if more > 0 else [])
        return "; ".join(told)

    def _list(self, query: str, database: str = "") -> list[str]:
        try:
            return [str(each) for each in json.loads(self._ask(query, database))]
        except ValueError:
            raise SockwakeError("PostgreSQL's answer makes no sense") from None

    def _ask(self, query: str, database: str = "") -> str:
        """What a query prints. database: "" for one that there is. Raises SockwakeError."""
        problem, text = None, f"{IN_UTF8}{query};\n"
        for place in [database] if database else BEGINNINGS:
            try:
                return self._psql(place, _STRICTLY, timeout=_QUESTION, stdin=text).strip()
            except process.ProgramError as error:
                what = f"the server could not be asked in database {place}"
                problem = problem or SockwakeError(what, said=error.said)
        assert problem
        raise problem

    def _psql(
        self,
        database: str,
        *words: str,
        timeout: float,
        stdin: str | None = None,
        said: list[str] | None = None,
    ) -> str:
        argv = self._reached.argv("psql", *_PSQL, to_database(database), *words)
        env = self._reached.environment if isinstance(self._reached, FromOutside) else {}
        return process.run(argv, env=env, stdin=stdin, timeout=timeout, aside=said)


def _counted(number: int, what: str) -> str:
    many = {"index": "indexes", "table": "tables"}[what]
    return f"{number} {what if number == 1 else many}"
