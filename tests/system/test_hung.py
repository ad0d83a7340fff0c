"""A program or engine that hangs during a wake: clients are told, the next one is served."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from image_store import PLACE
from instances import Make, MakeService
from moment import until, until_gone
from program import must, run, start
from refusal import ASLEEP_OR_FAILED
from web import get
from webshop import container, served, unserved

SPARE = 60  # seconds beside the limit, on a busy machine
LIMIT = 30
HUNG = """\
#!/bin/sh
trap '' TERM
sleep 4242 &
wait
sleep 4242
"""


@contextmanager
def hung(program: str) -> Iterator[None]:
    """Put a program that never ends, nor its child, before the real one in PATH."""
    path = Path("/usr/local/bin") / program
    path.write_text(HUNG)
    path.chmod(0o755)
    try:
        yield
    finally:
        path.unlink()


@pytest.mark.fault
@pytest.mark.engine
def test_compose_that_never_ends(service: MakeService, nginx: str) -> None:
    shop = container(service, nginx)
    shop.edit("instance.env", "IDLE=1s\n", "IDLE=1s\nSTART_TIMEOUT=3s\n")
    must("docker", "rm", shop.container)
    began = time.monotonic()
    with hung("docker-compose"):
        unserved(shop, f"docker-compose did not end within {LIMIT} s")
        assert time.monotonic() - began < LIMIT + SPARE
        until_gone("nothing of it is left", lambda: run("pgrep", "-fx", "sleep 4242").out)
    shop.edit("instance.env", "START_TIMEOUT=3s\n", "")
    served(shop)


@pytest.mark.fault
@pytest.mark.engine
def test_engine_that_stands_still(service: MakeService, nginx: str) -> None:
    shop = container(service, nginx)
    must("docker", "rm", shop.container)
    engine = int(must("systemctl", "show", "--value", "--property=MainPID", "docker.service"))
    began = time.monotonic()
    os.kill(engine, signal.SIGSTOP)
    try:
        answer = get(shop.port)
    finally:
        os.kill(engine, signal.SIGCONT)
    assert (
        answer.status == 503 and "the container engine does not answer: timed out" in answer.text
    ), answer
    assert time.monotonic() - began < LIMIT + SPARE
    shop.asleep(backend=ASLEEP_OR_FAILED)  # until then a client joins those that are refused
    served(shop)


@pytest.mark.fault
def test_a_waiting_command_names_the_process_that_holds_the_lock(
    service: MakeService, nginx: str
) -> None:
    """The lock is never released: the command gives up after a minute, and changes nothing."""
    shop = container(service, nginx, enable=False)
    with start("flock", "--no-fork", "/etc/sockwake", "sleep", "4242") as holder:
        try:
            argv = ("script", "--quiet", "--return", "--command", f"sockwake rm {shop}")
            ran = run(*argv, "/dev/null", timeout=60 + SPARE)
        finally:
            holder.kill()
    ran.expect(
        4,
        f"sockwake: waiting for the lock of all instances: process {holder.pid} has it",
        "sockwake: error: the lock of all instances was not free within 60 s",
    )
    assert shop.etc.exists()


def has_opened(path: Path, unit: str) -> bool:
    """Whether the main process of a unit has it open."""
    pid = must("systemctl", "show", "--value", "--property=MainPID", unit).strip()
    return run("find", f"/proc/{pid}/fd", "-lname", str(path)).out != ""


@pytest.mark.fault
def test_a_wake_that_waits_for_a_lock_can_be_stopped(instance: Make) -> None:
    """A download may have the images for an hour."""
    database = instance("--no-provision")
    PLACE.mkdir(0o700, parents=True, exist_ok=True)
    with (
        start("flock", "--no-fork", str(PLACE), "sleep", "4242") as holder,
        database.start_psql() as client,
    ):
        try:
            until("it waits for the lock", lambda: has_opened(PLACE, database.backend))
            must("systemctl", "stop", database.socket, database.proxy, database.backend)
        finally:
            holder.kill()
            client.kill()
    why = f"it was stopped while process {holder.pid} had the lock of the images"
    assert why in database.journal()
    database.open()
    assert database.psql() == "1"
