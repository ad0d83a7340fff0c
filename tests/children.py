"""The programs that a run of tests has started, and how all of them come to an end."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path


class Interrupted(Exception):
    """A signal asks the run to end."""


class Run:
    """One call of tests/run: the children it has, what they reported, and whether it is to end."""

    def __init__(self, reports: Path) -> None:
        self.reports = reports
        self.problems: list[str] = []
        self._children: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._ending = False

    def stream(self, label: str, argv: list[str]) -> int:
        """Run a program, each of its lines under its label; returns its status."""
        with self._child(argv) as child:
            assert child.stdout is not None
            for line in child.stdout:
                self.say(label, line)
        return child.returncode

    def must(self, label: str, argv: list[str]) -> None:
        """Run a program that has to succeed, and show what it said only when it did not."""
        with self._child(argv) as child:
            said = child.communicate()[0]
        if child.returncode:
            self.say(label, said)
            raise RuntimeError(f"{' '.join(argv)} ended with status {child.returncode}")

    def say(self, label: str, text: str) -> None:
        with self._lock:
            for line in text.rstrip("\n").split("\n"):
                print(f"{label}: {line}".rstrip(), flush=True)

    def end(self) -> None:
        """End every child; what waits for one goes on, and cleans up."""
        with self._lock:
            self._ending = True
            for child in self._children:
                with contextlib.suppress(ProcessLookupError):
                    child.terminate()

    @contextlib.contextmanager
    def _child(self, argv: list[str]) -> Iterator[subprocess.Popen[str]]:
        with self._lock:
            if self._ending:
                raise Interrupted
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
            self._children.add(child)
        try:
            with child:
                yield child
        finally:
            self._children.discard(child)


def in_parallel(jobs: list[Callable[[], None]], run: Run) -> None:
    """Run jobs side by side until the last has ended; what goes wrong with one is noted."""

    def guarded(job: Callable[[], None]) -> None:
        try:
            job()
        except Interrupted:
            pass
        except Exception as error:  # whatever it is, the sum must show it
            run.problems.append(str(error))

    # wait for the futures: in Python 3.11 an interrupted join() takes its thread for ended
    with futures.ThreadPoolExecutor(len(jobs)) as pool:
        try:
            futures.wait([pool.submit(guarded, job) for job in jobs])
        except Interrupted:
            run.end()
            raise
