"""Kill, stop or restart a database without a served client: waiting clients get an answer."""

from __future__ import annotations

import re

import pytest

from database import Database
from instances import Make
from moment import until
from program import must, run
from recovery import awake
from refusal import ASLEEP_OR_FAILED
from soak import only_in_soak
from wakefulness import client_program

pytestmark = [pytest.mark.fault, pytest.mark.engine]


def slow_to_start(database: Database) -> None:
    """Make its container wait five seconds before PostgreSQL starts."""
    database.edit_compose(
        "    command:\n",
        '    entrypoint: ["sh", "-c", "sleep 5; exec $$0 $$@", "entrypoint"]\n    command:\n',
    )


@pytest.mark.parametrize("victim", ["backend", *only_in_soak("proxy")])
def test_killed_while_it_wakes_and_the_client_that_waits_is_answered(
    instance: Make, victim: str
) -> None:
    database = instance()
    slow_to_start(database)
    client = database.start_psql()
    try:
        until("the container runs", lambda: database.server_pid())
        unit = database.proxy if victim == "proxy" else database.backend
        until(f"{unit} has a process", lambda: database.main_pid(unit))
        database.kill(unit)
        said = client.communicate(timeout=60)[0]
    finally:
        client.kill()
    assert (
        said == "1\n"
        if victim == "proxy"
        else re.search('FATAL:  sockwake: instance "pg1" cannot start: (its|the service) ', said)
    ), said
    assert database.psql() == "1"
    database.asleep()


def test_killed_before_its_image_s_entrypoint_has_become_postgres(instance: Make) -> None:
    """Until then the container ignores PostgreSQL's stop signal."""
    database = instance()
    script = "trap '' INT; sleep 5; exec $$0 $$@"
    entrypoint = f'    entrypoint: [sh, -c, "{script}", entrypoint]\n'
    database.edit_compose("    command:\n", f"{entrypoint}    command:\n")
    with client_program(database, "psql", "-XAtc", "select 1"):
        until("the container runs", lambda: database.server_pid())
        database.kill(database.backend)
        until("it has shut down", lambda: not database.server_pid(), timeout=60)
    assert database.psql() == "1"
    database.asleep()
    assert "not properly shut down" not in database.journal()


def test_killed_while_it_makes_its_cluster(instance: Make) -> None:
    database = instance("--no-provision")
    makes = f"{database.container}_init"
    with client_program(database, "psql", "-XAtc", "select 1"):
        until("its cluster is being made", lambda: run("docker", "top", makes).status == 0)
        database.kill(database.backend)
        until("nothing of that is left", lambda: run("docker", "inspect", makes).status)
    database.asleep(backend=ASLEEP_OR_FAILED)  # the first client has been told why
    assert database.psql() == "1"
    database.asleep()


def test_stopped_while_it_wakes_ends_without_a_crash_recovery(instance: Make) -> None:
    database = instance()
    client = database.start_psql()
    try:
        until("it wakes", lambda: database.state(database.backend) == "active")
        # run, as the client may cancel the stop
        run("systemctl", "stop", database.proxy, database.backend, timeout=120)
        client.communicate(timeout=60)
    finally:
        client.kill()
    assert database.psql() == "1"
    database.asleep()
    assert "not properly shut down" not in database.journal()


@pytest.mark.parametrize("unit", ["proxy", *only_in_soak("socket", "backend")])
def test_restart_while_asleep_leaves_it_asleep(instance: Make, unit: str) -> None:
    database = instance()
    must("systemctl", "restart", getattr(database, unit), timeout=120)
    database.asleep()
    assert database.psql() == "1"


@pytest.mark.parametrize("unit", ["proxy", *only_in_soak("socket", "backend")])
def test_restarted_while_awake_but_without_a_client_goes_to_sleep_again(
    instance: Make, unit: str
) -> None:
    database, client = awake(instance)
    client.close()
    must("systemctl", "restart", getattr(database, unit), timeout=120)
    database.asleep()
    assert database.psql("select sum(n) from kept") == "500500"
