"""The installed units: verified by systemd-analyze, and documented."""

from __future__ import annotations

import pytest

from instances import Make, MakeService
from moment import until
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
    # of the generators' sandbox, which a machine within another cannot have
    told = [line for line in said.err.splitlines() if not line.startswith("Read-only bind remount")]
    assert (said.out, told) == ("", [])


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


def described(*patterns: str) -> dict[str, str]:
    """The units that systemd has loaded, with how systemctl describes each."""
    listed = must("systemctl", "list-units", "--all", "--plain", "--no-legend", *patterns)
    columns = [line.split(maxsplit=4) for line in listed.splitlines()]
    return {unit: description for unit, _, _, _, description in columns}


def test_units_of_an_awake_database_are_described_by_kind_and_name(instance: Make) -> None:
    database = instance("--check", "builtin")
    with database.at_work():
        until("its timer runs", lambda: database.state(database.check) == "active")
        found = described("pg-*@pg1.*")
        checks = "Idle check of PostgreSQL 18 'pg1'"
        assert found.pop(database.look, checks) == checks
        assert found == {
            database.socket: "Port of PostgreSQL 18 'pg1'",
            database.proxy: "Proxy of PostgreSQL 18 'pg1'",
            database.backend: "PostgreSQL 18 'pg1'",
            database.check: checks,
        }


def test_a_programs_start_condition_is_described_by_kind_and_name(
    service: MakeService, program: str
) -> None:
    own = service("native", "--exec", program, name="own")
    title = "Program 'own' (native)"
    for unit, expected in (
        (own.socket, f"Port of {title}"),
        (own.backend, title),
        (own.look, f"Idle check of {title}"),
        ("pg-wanted@own.service", f"Start condition of {title}"),
    ):
        shown = must("systemctl", "show", "--value", "--property=Description", unit)
        assert shown.strip() == expected


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
