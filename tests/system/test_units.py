"""The units themselves."""

from __future__ import annotations

import pytest

from instances import Make
from program import must, run

UNITS = (
    "pg-proxy@pg1.socket",
    "pg-proxy@pg1.service",
    "pg-postgres@pg1.service",
    "sockwake.target",
)


def test_verify_has_nothing_to_say(instance: Make) -> None:
    instance("--no-provision")
    said = run("systemd-analyze", "verify", "--generators=yes", "--man=yes", *UNITS).expect(0)
    assert said.out + said.err == ""


@pytest.mark.parametrize("unit", UNITS)
def test_has_documentation_that_is_there(image: str, unit: str) -> None:
    pages = (
        must("systemctl", "show", "--value", "--property=Documentation", unit)
        .replace('"', "")
        .split()
    )
    assert pages
    for page in pages:
        name, _, section = page.removeprefix("man:").removesuffix(")").partition("(")
        must("man", "--where", section, name)


def test_a_name_without_an_instance_does_not_start(image: str) -> None:
    run("systemctl", "start", "pg-proxy@nosuch.socket").expect(1)
    assert (
        must(
            "systemctl", "show", "--value", "--property=ActiveState", "pg-proxy@nosuch.socket"
        ).strip()
        == "inactive"
    )


def test_instances_are_back_after_daemon_reexec(instance: Make) -> None:
    database = instance()
    with database.at_work() as client:
        must("systemctl", "daemon-reexec")
        assert client.value("select 1") == "1"
    database.asleep()
    assert database.psql() == "1"
