"""What proves a server ready is killed, and something else than the proxy holds the server up."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from threading import Thread

import pytest

from client import Lost, Refused
from ending import Command, Container, Native, Postgres, Subject
from held import held_up
from host_postgres import SERVER, VERSION
from instances import Make, MakeService
from moment import until
from program import must, run
from soak import only_in_soak

pytestmark = [pytest.mark.fault, pytest.mark.kills]
SOON = 8.0  # seconds; one without a handler for its stop signal is killed after five


def killed_while_it_proves(subject: Subject, number: signal.Signals) -> bool:
    """Wake it with a client, and signal what proves it ready; whether that was before it was."""
    one = subject.service
    subject.sleep()
    client = Thread(target=lambda: suppressing(subject.ask))
    client.start()
    until(f"something proves {one} ready", lambda: subject.running("/program await"), 10)
    was_ready = (one.run / "ready").exists()
    for pid in subject.running("/program await"):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
    client.join(30)
    assert not client.is_alive(), "the client that waited has no answer"
    return not was_ready


def suppressing(ask: Callable[[], None]) -> None:
    with suppress(Lost, Refused, OSError):
        ask()


KINDS = ("postgres", "container", "command", "host", "native")


@pytest.fixture
def subject(
    request: pytest.FixtureRequest,
    instance: Make,
    service: MakeService,
    nginx: str,
    redis: str,
    program: str,
) -> Subject:
    """An instance of a kind that is proven ready beside its server."""
    kind = request.param
    if kind == "postgres":
        return Postgres(instance())
    if kind == "host":
        if not SERVER.exists():
            pytest.skip(f"{SERVER} is not on this machine")
        return Postgres(instance("--runtime", "host", version=VERSION))
    if kind == "container":
        return Container(service("container", "--image", nginx, "--container-port", "80"))
    if kind == "command":
        return Command(service("command", "--exec", f"{redis} --port {{port}}"))
    return Native(service("native", "--exec", program))


@pytest.mark.parametrize(
    "subject",
    ["postgres", *only_in_soak(*(each for each in KINDS if each != "postgres"))],
    indirect=True,
)
def test_the_next_client_is_served_though_something_else_holds_it_up(subject: Subject) -> None:
    met = 0
    with held_up(subject.service):
        for number in (signal.SIGKILL, signal.SIGHUP) * 3:
            met += killed_while_it_proves(subject, number)
            subject.serves(SOON)
    assert met, "it was always ready before"
    subject.service.asleep()


def test_a_client_is_served_though_nobody_is_told_what_proves_it(instance: Make) -> None:
    """What writes that down is killed, or has no room: the start would go on for ever."""
    subject = Postgres(instance())
    subject.sleep()
    told = subject.service.run / "begun"
    told.unlink(missing_ok=True)
    told.mkdir()
    subject.ask()
    told.rmdir()
    subject.sleep()


def test_a_command_that_is_never_ready_and_does_not_end_is_killed(
    service: MakeService, redis: str
) -> None:
    """Held up, it would otherwise run on, and its port be dead."""
    cache = service("command", "--exec", f"{redis} --port {{port}}")
    right = f"{redis} --port {cache.setting('BACKEND_PORT')}"
    deaf = """/bin/sh -c 'trap "" TERM; while :; do sleep 1; done'"""
    cache.edit("service.conf", right, deaf)
    cache.edit("instance.env", "IDLE=", "START_TIMEOUT=1s\nIDLE=")
    must("systemctl", "daemon-reload")
    with held_up(cache):
        run("sockwake", "wake", cache.name).expect(1, "did not answer on port")
        until("it has ended", lambda: cache.state(cache.backend) in ("inactive", "failed"), 15)
        cache.edit("service.conf", deaf, right)
        must("systemctl", "daemon-reload")
        Command(cache).serves(SOON)
