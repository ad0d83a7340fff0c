"""The files are the administrator's: what is edited counts from the next wake on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from instances import Make
from program import must

pytestmark = pytest.mark.engine  # what it does to a container, it does to an engine's


def test_compose_file(instance: Make) -> None:
    database = instance()
    assert database.psql("show work_mem") == "4MB"
    database.add_guc("work_mem=9MB")
    assert database.psql("show work_mem") == "4MB"
    database.asleep()
    assert database.psql("show work_mem") == "9MB"
    container = must("docker", "inspect", "--format={{.Id}}", database.container)
    database.asleep()
    assert database.psql("show work_mem") == "9MB"
    assert must("docker", "inspect", "--format={{.Id}}", database.container) == container


@pytest.mark.soak
@pytest.mark.parametrize("options", [(), ("--no-provision",)], ids=["made", "not yet made"])
def test_compose_file_without_a_command_leaves_the_image_its_own(
    instance: Make, options: tuple[str, ...]
) -> None:
    database = instance(*options)
    path = database.etc / "compose.yaml"
    without, found = re.subn(
        r"^    command:\n(      - .*\n)+", "", path.read_text(), flags=re.MULTILINE
    )
    assert found == 1
    path.write_text(without)
    assert database.psql() == "1"
    assert (
        must("docker", "inspect", "--format={{json .Config.Cmd}}", database.container)
        == '["postgres"]\n'
    )
    database.asleep()
    assert database.psql() == "1"


def test_idle(instance: Make) -> None:
    database = instance(idle="1s")
    database.set("IDLE", "7s")
    with database.at_work():
        assert "--exit-idle-time=7" in Path(
            f"/proc/{database.main_pid(database.proxy)}/cmdline"
        ).read_text().split("\0")
    must("systemctl", "stop", database.proxy)
    database.set("IDLE", "1s")
    assert database.psql() == "1"
    database.asleep()


def test_idle_infinity_stays_until_stopped(instance: Make) -> None:
    database = instance(idle="infinity")
    with database.at_work():
        assert "--exit-idle-time=infinity" in Path(
            f"/proc/{database.main_pid(database.proxy)}/cmdline"
        ).read_text().split("\0")
    database.put_to_sleep()


def test_image(instance: Make) -> None:
    database = instance()
    must("docker", "tag", "postgres:18", "edited:18")
    try:
        database.set("IMAGE", "edited:18")
        assert database.psql() == "1"
        assert (
            must("docker", "inspect", "--format={{.Config.Image}}", database.container)
            == "edited:18\n"
        )
        database.asleep()
        must("docker", "rm", database.container)
    finally:
        must("docker", "rmi", "edited:18")


def test_port_after_a_reload_and_a_restart_even_while_awake(instance: Make) -> None:
    database = instance()
    with database.at_work() as client:
        old = database.port
        database.set("PORT", "25500")
        must("systemctl", "daemon-reload")
        assert client.value("select 1") == "1"
        must("systemctl", "restart", database.socket, timeout=120)
    assert database.psql() == "1"
    assert f":{old} " not in must("ss", "-Hltn")
    database.asleep()
    assert database.psql() == "1"


@pytest.mark.soak
def test_listen_after_a_reload_and_a_restart(instance: Make) -> None:
    database = instance()
    database.set("LISTEN", "127.0.0.9,::1")
    must("systemctl", "daemon-reload")
    must("systemctl", "restart", database.socket)
    assert database.psql(host="127.0.0.9") == database.psql(host="::1") == "1"
    database.try_psql(host="127.0.0.1").expect(2, "refused")


def test_a_second_wake_makes_no_new_container(instance: Make) -> None:
    database = instance()
    found = []
    for _ in range(2):
        database.psql()
        found.append(must("docker", "inspect", "--format={{.Id}} {{.Created}}", database.container))
        database.asleep()
    assert found[0] == found[1]
