"""The units: systemd can read them, and a name without an instance fails closed."""

import re
import shutil
from pathlib import Path

import pytest

from env_file import env
from sockwake.config.instance import Instance, Name
from sockwake.errors import IN_USE
from tree import SOURCE, Ran, Tree, run

UNITS = sorted(
    path
    for path in (SOURCE / "systemd").iterdir()
    if path.suffix in (".service", ".socket", ".target", ".timer")
)
USERS = sorted(path for path in (SOURCE / "systemd/user").iterdir())
OTHERS = {
    "web": ["--kind", "container", "--image", "nginx", "--container-port", "80"],
    "port": ["--kind", "command", "--exec", "/bin/true {port}", "--port", "25433"],
    "socket": [
        "--kind",
        "command",
        "--exec",
        "/bin/true {socket}",
        "--run-as",
        "daemon",
        "--listen",
        "/run/s",
    ],
    "host": ["--kind", "command", "--exec", "/bin/true {port}", "--network", "host"],
    "debian": ["--version", "17", "--runtime", "host"],
    "own": ["--kind", "native", "--exec", "/bin/true"],
    "says": [
        "--kind",
        "native",
        "--exec",
        "/bin/true",
        "--ready",
        "notify",
        "--socket-mode",
        "0660",
        "--listen",
        "/run/n",
    ],
}
pytestmark = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed"
)


def unit_path(path: Path) -> str:
    return str(path.relative_to(SOURCE / "systemd"))


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units with the programs of the source tree, and drop-ins for instances of every kind."""
    units, share = tmp_path / "units", tmp_path / "share/sockwake"
    units.mkdir()
    for folder in ("kinds", "runtimes"):
        shutil.copytree(SOURCE / "sockwake" / folder, share / folder)
    for unit in UNITS:
        shutil.copy(unit, units)
    make_others(tmp_path)
    databases = {
        "pg1": env(LISTEN="127.0.0.1,::1,/run/db/.s.PGSQL.25432"),
        "pg2": env(TLS="yes", PORT="25433"),
        "pg3": env(RUNTIME="crun", PORT="25434"),
        "led": env(RUNTIME="crun", PORT="25435"),
    }
    for name, text in databases.items():
        (tmp_path / "etc" / name).mkdir(parents=True)
        (tmp_path / "etc" / name / "instance.env").write_text(text)
    (tmp_path / "etc/led/forward").write_text("TARGETS=10.0.0.1:5432\nCHECK=tcp\n")
    definitions = (tmp_path / "etc").rglob("service.conf")
    for path in (*units.iterdir(), *share.rglob("*.conf"), *definitions):
        text = path.read_text().replace("/usr/libexec/sockwake/", f"{SOURCE}/bin/")
        path.write_text(text.replace("/bin/native ", "/bin/when-wanted "))
    places = {
        "SOCKWAKE_ETC": f"{tmp_path}/etc",
        "SOCKWAKE_SHARE": f"{tmp_path}/share",
        "SOCKWAKE_LIBEXEC": f"{SOURCE}/bin",
    }
    ran = run("sh", f"{SOURCE}/systemd/sockwake-generator", *[str(units)] * 3, env=places)
    assert (ran.status, ran.stderr) == (0, "")
    return units


def make_others(base: Path) -> None:
    """Instances of the other kinds, as sockwake-new makes them; of programs one for each way."""
    tree = Tree(base / "tree")
    (tree.path / "bin").mkdir()
    shutil.copy("/bin/true", tree.path / "bin/true")
    for name, options in OTHERS.items():
        ran = tree.sockwake("new", name, *options)
        assert ran.status == 0, ran
        shutil.copytree(tree.instance(name).etc, base / "etc" / name)


def analyze(directory: Path, *arguments: str, level: str = "info") -> Ran:
    return run(
        "systemd-analyze",
        *arguments,
        env={"SYSTEMD_UNIT_PATH": f"{directory}:", "SYSTEMD_LOG_LEVEL": level, "LC_ALL": "C.UTF-8"},
    )


def test_systemd_has_nothing_to_say_about_them(installed: Path) -> None:
    names = [
        unit.name.replace("@.", f"@{name}.")
        for unit in UNITS
        for name in ("pg1", "pg2", "led", *OTHERS)
    ]
    ran = analyze(installed, "verify", "--man=no", *names)
    assert (ran.status, ran.stdout, ran.stderr) == (0, "", "")


def test_a_name_without_an_instance_does_not_open_a_port(installed: Path) -> None:
    ran = analyze(installed, "verify", "--man=no", "pg-proxy@nobody.socket")
    assert ran.status != 0 and "pg-proxy@nobody.socket: Unit has no Listen setting" in ran.stderr


def test_each_kind_s_unit_runs_what_its_kind_says(installed: Path) -> None:
    """A drop-in that is not read would leave the waker in charge."""
    for name, program in (
        ("pg1", "waker pg1"),
        ("web", "container web"),
        ("port", "when-wanted /bin/true 25433"),
        ("own", "when-wanted /bin/true"),
    ):
        shown = analyze(
            installed, "verify", "--man=no", f"pg-postgres@{name}.service", level="debug"
        ).stdout
        of_unit = shown.partition(f"Unit pg-postgres@{name}.service:")[2].partition("→ Unit ")[0]
        commands = re.findall(r"^\s*Command Line: (.*)$", of_unit, re.MULTILINE)
        assert len([command for command in commands if program in command]) == 1, (name, commands)


@pytest.mark.parametrize("name", ["port", "socket", "own"])
def test_a_program_is_exposed_to_little_unless_told_otherwise(installed: Path, name: str) -> None:
    ran = analyze(
        installed, "security", "--offline=true", "--no-pager", f"pg-postgres@{name}.service"
    )
    exposure = re.search(r"Overall exposure level for \S+: ([0-9.]+)", ran.stdout)
    assert exposure and float(exposure[1]) <= 2.5, ran.stdout


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("pg1", 1.0),
        ("pg2", 1.5),
        ("web", 1.5),
        ("port", 1.5),
        ("socket", 1.0),
        ("host", 1.5),
        ("led", 1.5),
    ],
)
def test_the_proxy_is_exposed_to_as_little_as_promised(
    installed: Path, name: str, limit: float
) -> None:
    ran = analyze(installed, "security", "--offline=true", "--no-pager", f"pg-proxy@{name}.service")
    level = re.search(rf"Overall exposure level for pg-proxy@{name}.service: ([\d.]+)", ran.stdout)
    assert level and float(level[1]) <= limit, ran


@pytest.mark.parametrize("unit", UNITS + USERS, ids=unit_path)
def test_every_unit_has_its_documentation(unit: Path) -> None:
    assert re.search(r"^Documentation=man:sockwake\(8\)$", unit.read_text(), re.MULTILINE)


@pytest.mark.parametrize("unit", UNITS + USERS, ids=unit_path)
def test_no_unit_gives_up_for_good(unit: Path) -> None:
    """No %I, which unescapes, and no limit that would close a port for ever."""
    text = unit.read_text()
    assert "%I" not in text
    if unit.suffix == ".service":
        assert "\nStartLimitIntervalSec=0\n" in text and "\nRestart=" not in text
    if unit.suffix == ".socket":
        assert "\nTriggerLimitIntervalSec=0\n" in text


@pytest.mark.parametrize("name", ["backup", "expire", "hours", "maintain"])
def test_one_that_finds_its_instance_in_use_tries_again(name: str) -> None:
    """A backup, a copy or a restore may have it for longer than a command waits."""
    for unit in (SOURCE / "systemd").rglob(f"pg-{name}@.service"):
        (forced,) = re.findall(r"^RestartForceExitStatus=(.*)$", unit.read_text(), re.MULTILINE)
        assert f"{IN_USE}" in forced.split(), unit
        if name == "expire":  # half of it may be gone
            assert "SIGKILL" in forced.split(), unit


def test_the_units_are_called_what_the_code_calls_them() -> None:
    instance = Instance(Name("pg1"))
    called = {
        unit.replace("@pg1.", "@.")
        for unit in (instance.socket_unit, instance.proxy_unit, instance.backend_unit)
    }
    assert called <= {unit.name for unit in UNITS}


def test_users_have_the_same_units_as_the_system() -> None:
    """But for the start condition of a program, the file for node_exporter, and a read-only /etc.

    A user has no programs, and none whose home the collector reads.
    """
    of_the_system = (
        *("pg-wanted@.service", "sockwake-etc.service"),
        *("sockwake-metrics.service", "sockwake-metrics.timer"),
    )
    assert [unit.name for unit in USERS] == [
        unit.name for unit in UNITS if unit.name not in of_the_system
    ]
    patience = {
        re.search(
            r"^TimeoutStopSec=.*$", (unit.parent / "pg-postgres@.service").read_text(), re.MULTILINE
        )[0]  # type: ignore[index]
        for unit in (UNITS[0], USERS[0])
    }
    assert len(patience) == 1


@pytest.mark.parametrize(
    "unit", [unit for unit in USERS if unit.suffix == ".service"], ids=unit_path
)
def test_every_service_of_a_users_works_in_the_users_scope(unit: Path) -> None:
    assert re.search(r"^Environment=(.* )?SOCKWAKE_SCOPE=user$", unit.read_text(), re.MULTILINE)
    assert "systemctl stop" not in unit.read_text()


def test_systemd_kills_no_database_that_the_engine_would_still_wait_for() -> None:
    unit = (SOURCE / "systemd/pg-postgres@.service").read_text()
    compose = (SOURCE / "sockwake/kinds/postgres/compose.yaml.j2").read_text()
    patience, grace = (
        re.search(r"^TimeoutStopSec=(\d+)min$", unit, re.MULTILINE),
        re.search(r"stop_grace_period: (\d+)m$", compose, re.MULTILINE),
    )
    assert patience and grace and int(patience[1]) > int(grace[1])


@pytest.mark.parametrize("unit", UNITS + USERS, ids=unit_path)
def test_sections_come_in_order_and_hardening_alphabetically(unit: Path) -> None:
    text = unit.read_text()
    sections = re.findall(r"^\[(\w+)\]$", text, re.MULTILINE)
    order = ["Unit", "Service", "Socket", "Timer", "Install"]
    assert sections == sorted(sections, key=order.index)
    hardening = re.findall(
        r"^((?:Lock|Memory|NoNew|Private|Proc|Protect|Restrict[A-Z]|SystemCall)\w*)=",
        text,
        re.MULTILINE,
    )
    assert hardening == sorted(hardening)
