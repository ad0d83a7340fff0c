"""How a service of a project is reached, asked, stopped and restarted, by its container."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from sockwake.engine.api import Engine
from sockwake.engine.healthcheck import Healthcheck
from sockwake.engine.project_containers import Member
from sockwake.lifecycle.restarts import Restarts, is_restarted
from sockwake.lifecycle.service_run import (
    RUNNING,
    STARTING,
    WAITING,
    ServiceRun,
    addresses_of,
    number_of,
)


@pytest.mark.parametrize(
    ("policy", "exit_code", "count", "expected"),
    [
        ("no", 1, 0, False),
        ("", 1, 0, False),
        ("always", 0, 99, True),
        ("unless-stopped", 1, 99, True),
        ("on-failure", 0, 0, False),
        ("on-failure", 1, 99, True),
        ("on-failure:2", 1, 1, True),
        ("on-failure:2", 1, 2, False),
    ],
)
def test_a_service_is_restarted_as_its_policy_says(
    policy: str, exit_code: int, count: int, expected: bool
) -> None:
    assert is_restarted(policy, exit_code, count) is expected


def test_the_pauses_between_restarts_grow_to_a_minute() -> None:
    run = ServiceRun(Member("web", "0" * 64, {}, "always", is_running=False), Engine())
    restarts = Restarts()
    pauses = [restarts.pause(run) for _ in range(12)]
    assert pauses[:3] == [0.1, 0.2, 0.4] and pauses[-1] == 60
    run.exit_code = -1  # its container is gone
    assert restarts.pause(run) is None


def test_output_is_read_by_no_other_thread_than_the_one_that_starts_it_until_it_has() -> None:
    """That one closes it when the start fails: closed twice, it would be another's descriptor."""
    run = ServiceRun(Member("web", "0" * 64, {}, "no", is_running=False), Engine())
    run.container.fd, writer = os.pipe()
    for state, fds in ((WAITING, 1), (STARTING, 0), (RUNNING, 1)):
        run.state = state
        assert len(run.fds) == fds
    closed = run.container.fd
    run.container.close()
    run.container.close()
    assert run.container.fd == -1 and run.fds == []
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(closed)
    os.close(writer)


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({"HostConfig": {"NetworkMode": "host"}}, ["127.0.0.1"]),
        ({"HostConfig": {"NetworkMode": "none"}, "NetworkSettings": {"Networks": {}}}, []),
        (
            {
                "NetworkSettings": {
                    "Networks": {
                        "a": {"IPAddress": "", "GlobalIPv6Address": "fd00::2"},
                        "b": {"IPAddress": "172.18.0.2"},
                    }
                }
            },
            ["172.18.0.2", "fd00::2"],
        ),
    ],
)
def test_its_addresses_are_those_of_all_its_networks(
    details: dict[str, Any], expected: list[str]
) -> None:
    assert addresses_of(details) == expected


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("", signal.SIGTERM),
        ("SIGQUIT", signal.SIGQUIT),
        ("INT", signal.SIGINT),
        ("2", signal.SIGINT),
    ],
)
def test_a_stop_signal_is_named_in_any_way(said: str, number: int) -> None:
    assert number_of(said) == number


@pytest.mark.parametrize(
    ("test", "command"),
    [
        ([], []),
        (["NONE"], []),
        (["CMD", "pg_isready"], ["pg_isready"]),
        (["CMD-SHELL", "pg_isready"], ["/bin/sh", "-c", "pg_isready"]),
    ],
)
def test_a_healthcheck_is_the_command_that_compose_made_of_it(
    test: list[str], command: list[str]
) -> None:
    assert Healthcheck({"Config": {"Healthcheck": {"Test": test}}}).test == command


def test_a_healthcheck_has_its_own_time() -> None:
    config = {"Test": ["CMD", "true"], "Timeout": 2_000_000_000}
    assert Healthcheck({"Config": {"Healthcheck": config}}).timeout == 2
    assert Healthcheck({"Config": {"Healthcheck": {"Test": ["CMD", "true"]}}}).timeout == 30
