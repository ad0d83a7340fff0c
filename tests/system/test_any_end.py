"""Each process of an instance ends in any way at any moment: the next client is served in time.

Every backend with every signal, and every other process with some, at moments in turn; each with
each in `make soak`.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import product

import pytest

import figures
from client import Lost, Refused
from ending import SIGNALS, Postgres, Subject, one_of_each, send
from instances import Make, MakeService
from moment import until
from program import run
from project import MakeProject
from soak import SOAK

pytestmark = [pytest.mark.fault, pytest.mark.kills]
LONGEST_WAKE = 0.3  # seconds, over which what is ended in a wake is spread
UNIT = "unit"  # all its processes at once, by `systemctl kill`


@contextmanager
def awake(subject: Subject, _: float) -> Iterator[None]:
    subject.serves()
    yield


@contextmanager
def with_a_client(subject: Subject, _: float) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(subject.held())
        except (Lost, Refused, OSError):  # what was done before may still hang up on one
            subject.serves()
            stack.enter_context(subject.held())
        yield


@contextmanager
def waking(subject: Subject, part: float) -> Iterator[None]:
    subject.sleep()
    with ThreadPoolExecutor(1) as pool:
        client = pool.submit(subject.serves)
        until(
            f"{subject.service} wakes",
            lambda: subject.service.state(subject.service.backend) in ("active", "activating"),
        )
        time.sleep(LONGEST_WAKE * part)
        yield
        client.result(60)


@contextmanager
def falling_asleep(subject: Subject, _: float) -> Iterator[None]:
    subject.serves()
    run("systemctl", "stop", "--no-block", subject.service.backend)
    yield


MOMENTS = (with_a_client, waking, awake, falling_asleep)


def deeds(subject: Subject, turn: int) -> list[tuple[str, signal.Signals, int]]:
    """(process, signal, moment)."""
    pairs = list(product([*subject.victims(), UNIT], SIGNALS))
    if SOAK:
        moments = range(len(MOMENTS))
        every = [(process, number, moment) for process, number in pairs for moment in moments]
    else:
        every = [
            (process, number, (turn + i) % len(MOMENTS))
            for i, (process, number) in enumerate(pairs)
            if (turn + i) % 6 == 0 or process == "backend"
        ]
    return [
        deed for deed in every if not (isinstance(subject, Postgres) and is_smart_shutdown(*deed))
    ]


def is_smart_shutdown(process: str, number: signal.Signals, moment: int) -> bool:
    """Whether PostgreSQL itself then refuses new clients, until its last client has left.

    A signal to crun is passed on to it.
    """
    is_its = process in ("server", "backend") and number == signal.SIGTERM
    return is_its and MOMENTS[moment] is with_a_client


def end(subject: Subject, process: str, number: signal.Signals) -> bool:
    if process == UNIT:
        kill = ("systemctl", "kill", f"--signal={number.name}")
        return run(*kill, subject.service.backend).status == 0
    return send(subject.victims()[process](), number)


def go_through(subject: Subject, turn: int) -> list[str]:
    """What went wrong when each process was ended; last, whether too few were there to be ended."""
    problems, met = [], 0
    plan = deeds(subject, turn)
    for i, (process, number, at) in enumerate(plan):
        deed = f"{subject.service}: {number.name} to its {process} when {MOMENTS[at].__name__}"
        try:
            with MOMENTS[at](subject, i / len(plan)):
                if end(subject, process, number):
                    met += 1
                    figures.count("faults tried")
                subject.serves()
            subject.tells_the_truth()
            assert subject.service.is_listening(), "its port is closed"
            print(f"{time.strftime('%T')} {deed}")
        except (AssertionError, OSError) as error:
            problems.append(f"{deed}: {error}")
            subject.sleep()
    try:
        subject.service.asleep(timeout=60, backend=("inactive", "failed"))
    except AssertionError as error:
        problems.append(f"in the end: {error}")
    return (
        problems
        if met > len(plan) / 2
        else [*problems, f"{subject.service}: only {met} of {len(plan)} have met a process"]
    )


def test_the_next_client_is_served_and_ls_tells_the_truth(
    instance: Make, service: MakeService, project: MakeProject, nginx: str, redis: str, program: str
) -> None:
    subjects = one_of_each(instance, service, project, nginx, redis, program)
    with ThreadPoolExecutor(len(subjects)) as pool:
        problems = [
            problem
            for found in pool.map(go_through, subjects, range(len(subjects)))
            for problem in found
        ]
    assert problems == [], "\n".join(problems)
