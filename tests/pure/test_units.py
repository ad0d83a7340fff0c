"""The units: systemd can read them, a name without an instance fails closed, every one says where it is documented."""

import re
import shutil
from pathlib import Path

import pytest
from test_settings import env
from tree import SOURCE, Ran, run

from sockwake.instance import Instance, Name

UNITS = sorted(path for path in (SOURCE / "systemd").iterdir() if path.suffix in (".service", ".socket", ".target", ".timer"))
USERS = sorted(path for path in (SOURCE / "systemd/user").iterdir())
pytestmark = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")


def unit_path(path: Path) -> str:
    return str(path.relative_to(SOURCE / "systemd"))


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units in a directory of their own, their programs in the source tree, and the generator's drop-ins of two instances."""
    units = tmp_path / "units"
    units.mkdir()
    for unit in UNITS:
        (units / unit.name).write_text(unit.read_text().replace("/usr/libexec/sockwake/", f"{SOURCE}/bin/"))
    for name, text in (("pg1", env(LISTEN="127.0.0.1,::1,/run/db/.s.PGSQL.25432")), ("pg2", env(TLS="yes", PORT="25433"))):
        (tmp_path / "etc" / name).mkdir(parents=True)
        (tmp_path / "etc" / name / "instance.env").write_text(text)
    ran = run("sh", str(SOURCE / "systemd/sockwake-generator"), *[str(units)] * 3, env={"SOCKWAKE_ETC": str(tmp_path / "etc"), "SOCKWAKE_SHARE": str(SOURCE)})
    assert ran.status == 0, ran
    return units


def analyze(directory: Path, *arguments: str) -> Ran:
    return run("systemd-analyze", *arguments, env={"SYSTEMD_UNIT_PATH": f"{directory}:", "LC_ALL": "C.UTF-8"})


def test_systemd_has_nothing_to_say_about_them(installed: Path) -> None:
    names = [unit.name.replace("@.", f"@{name}.") for unit in UNITS for name in ("pg1", "pg2")]
    ran = analyze(installed, "verify", "--man=no", *names)
    assert (ran.status, ran.stdout, ran.stderr) == (0, "", "")


def test_a_name_without_an_instance_does_not_open_a_port(installed: Path) -> None:
    ran = analyze(installed, "verify", "--man=no", "pg-proxy@nobody.socket")
    assert ran.status != 0 and "pg-proxy@nobody.socket: Unit has no Listen setting" in ran.stderr


@pytest.mark.parametrize(("name", "limit"), [("pg1", 1.0), ("pg2", 1.5)])
def test_the_proxy_is_exposed_to_as_little_as_promised(installed: Path, name: str, limit: float) -> None:
    ran = analyze(installed, "security", "--offline=true", "--no-pager", f"pg-proxy@{name}.service")
    level = re.search(rf"Overall exposure level for pg-proxy@{name}.service: ([\d.]+)", ran.stdout)
    assert level and float(level[1]) <= limit, ran


@pytest.mark.parametrize("unit", UNITS + USERS, ids=unit_path)
def test_every_unit_has_its_documentation(unit: Path) -> None:
    assert re.search(r"^Documentation=man:sockwake\(8\)$", unit.read_text(), re.MULTILINE)


@pytest.mark.parametrize("unit", UNITS + USERS, ids=unit_path)
def test_no_unit_gives_up_for_good(unit: Path) -> None:
    """Only the specifier that cannot unescape, and limits that would close a port for ever are off."""
    text = unit.read_text()
    assert "%I" not in text
    if unit.suffix == ".service":
        assert "\nStartLimitIntervalSec=0\n" in text and "\nRestart=" not in text
    if unit.suffix == ".socket":
        assert "\nTriggerLimitIntervalSec=0\n" in text


def test_the_units_are_called_what_the_code_calls_them() -> None:
    instance = Instance(Name("pg1"))
    called = {unit.replace("@pg1.", "@.") for unit in (instance.socket_unit, instance.proxy_unit, instance.backend_unit)}
    assert called <= {unit.name for unit in UNITS}


def test_users_have_the_same_units_as_the_system() -> None:
    assert [unit.name for unit in USERS] == [unit.name for unit in UNITS]
    patience = {re.search(r"^TimeoutStopSec=.*$", (unit.parent / "pg-postgres@.service").read_text(), re.MULTILINE)[0]  # type: ignore[index]
                for unit in (UNITS[0], USERS[0])}
    assert len(patience) == 1


@pytest.mark.parametrize("unit", [unit for unit in USERS if unit.suffix == ".service"], ids=unit_path)
def test_every_service_of_a_users_says_whose_it_is(unit: Path) -> None:
    assert re.search(r"^Environment=(.* )?SOCKWAKE_SCOPE=user$", unit.read_text(), re.MULTILINE)
    assert "systemctl stop" not in unit.read_text()


def test_systemd_kills_no_database_that_the_engine_would_still_wait_for() -> None:
    unit = (SOURCE / "systemd/pg-postgres@.service").read_text()
    compose = (SOURCE / "sockwake/kinds/postgres/compose.yaml.j2").read_text()
    patience, grace = re.search(r"^TimeoutStopSec=(\d+)min$", unit, re.MULTILINE), re.search(r"stop_grace_period: (\d+)m$", compose, re.MULTILINE)
    assert patience and grace and int(patience[1]) > int(grace[1])


@pytest.mark.parametrize("unit", UNITS + USERS, ids=unit_path)
def test_sections_come_in_order_and_hardening_alphabetically(unit: Path) -> None:
    text = unit.read_text()
    sections = re.findall(r"^\[(\w+)\]$", text, re.MULTILINE)
    assert sections == sorted(sections, key=["Unit", "Service", "Socket", "Install"].index)
    hardening = re.findall(r"^((?:Lock|Memory|NoNew|Private|Proc|Protect|Restrict[A-Z]|SystemCall)\w*)=", text, re.MULTILINE)
    assert hardening == sorted(hardening)
