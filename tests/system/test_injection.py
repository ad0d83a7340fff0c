"""Environment variables, directories, names and values that would have root run other programs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import figures
from database import Database
from instances import Know, Make
from intruder import Intruder
from moment import until
from program import must, run

MARK = Path("/run/intruder-got-in")
PROGRAMS = (
    "crun",
    "skopeo",
    "umoci",
    "docker",
    "docker-compose",
    "env",
    "journalctl",
    "loginctl",
    "mount",
    "openssl",
    "podman",
    "ss",
    "systemctl",
    "systemd-run",
    "umount",
    "unshare",
)
MODULES = ("argparse", "jinja2", "json", "os", "sitecustomize", "sockwake", "usercustomize", "yaml")
DEFINITION = "services: {evil: {image: 'nginx:local', container_name: evil}}\n"


def evil_environment(home: Path) -> dict[str, str]:
    """Variables that lead programs into the user's home."""
    engine = f"unix://{home}/engine.sock"
    return {
        "PATH": f"{home}/bin:{os.environ['PATH']}",
        "HOME": str(home),
        "PWD": str(home),
        "TMPDIR": str(home),
        "IMAGE": "nginx:local",
        "PYTHONPATH": str(home),
        "PYTHONSTARTUP": f"{home}/os.py",
        "PYTHONHOME": str(home),
        "PYTHONUSERBASE": str(home),
        "DOCKER_HOST": engine,
        "DOCKER_CONTEXT": "evil",
        "DOCKER_CONFIG": f"{home}/.docker",
        "CONTAINER_HOST": engine,
        "COMPOSE_FILE": f"{home}/compose.yaml",
        "COMPOSE_PROJECT_NAME": "evil",
        "COMPOSE_PROFILES": "evil",
        "COMPOSE_ENV_FILES": f"{home}/.env",
        "OPENSSL_CONF": f"{home}/openssl.cnf",
        "SOCKWAKE_SCOPE": "user",
        "SOCKWAKE_ETC": str(home),
        "SOCKWAKE_SHARE": str(home),
        "SOCKWAKE_NAME": "evil",
        "SOCKWAKE_DATA": str(home),
        "SOCKWAKE_BACKEND": str(home),
        "SYSTEMD_UNIT_PATH": str(home),
        "XDG_CONFIG_HOME": str(home),
        "XDG_DATA_HOME": str(home),
        "XDG_RUNTIME_DIR": str(home),
        "DBUS_SESSION_BUS_ADDRESS": f"unix:path={home}/bus",
        "ENV": f"{home}/os.py",
        "BASH_ENV": f"{home}/os.py",
        "IFS": "/",
        "LC_ALL": "evil",
        "GCONV_PATH": str(home),
    }


@pytest.fixture
def baited(intruder: Intruder) -> Iterator[tuple[Path, dict[str, str]]]:
    """A directory of another user, and an environment that leads there from everywhere."""
    home = intruder.home
    (home / "bin").mkdir(exist_ok=True)
    for name in PROGRAMS:
        (home / "bin" / name).write_text(f"#!/bin/sh\necho {name} >>{MARK}\nexit 1\n")
        (home / "bin" / name).chmod(0o755)
    for name in MODULES:
        (home / f"{name}.py").write_text(f"open('{MARK}', 'a').write('{name}')\n")
    for name in (
        "compose.yaml",
        "compose.override.yaml",
        "docker-compose.yml",
        "docker-compose.override.yml",
    ):
        (home / name).write_text(DEFINITION)
    (home / ".env").write_text("IMAGE=nginx:local\nCOMPOSE_FILE=compose.yaml\n")
    plugins = home / ".docker/cli-plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    (plugins / "docker-compose").write_text(f"#!/bin/sh\necho plugin >>{MARK}\n")
    (plugins / "docker-compose").chmod(0o755)
    (home / ".docker/config.json").write_text('{"credsStore": "evil", "currentContext": "evil"}')
    (home / "openssl.cnf").write_text("openssl_conf = evil\n[evil]\nengines = nowhere\n")
    yield home, evil_environment(home)
    assert not MARK.exists(), MARK.read_text()


def test_neither_environment_nor_directory_gets_into_what_root_runs(
    known: Know, baited: tuple[Path, dict[str, str]]
) -> None:
    home, environment = baited
    database = known("pg1")
    try:
        for command in (
            ("sockwake-new", "pg1", "--version", "18", "--tls", "--idle", "1s", "--enable"),
            ("sockwake", "ls"),
            ("sockwake", "status", "pg1"),
            ("sockwake", "compose", "pg1", "ps", "--all"),
        ):
            run(
                f"/usr/bin/{command[0]}", *command[1:], env=environment, cwd=str(home), timeout=120
            ).expect(0)
            figures.count("hostile attempts", len(environment))
            assert not MARK.exists(), f"{command}: {MARK.read_text()}"
        assert database.psql("select ssl from pg_stat_ssl where pid = pg_backend_pid()") == "t"
        assert json.loads(must("sockwake", "status", "pg1", "--json"))["image"] == "postgres:18"
        database.asleep()
        run("/usr/bin/sockwake", "rm", "pg1", "--purge", env=environment, cwd=str(home)).expect(0)
    finally:
        MARK.unlink(missing_ok=True)
    assert not list(home.glob("pg1")) and not list(home.glob("sockwake"))


def test_no_installed_program_looks_at_the_environment_or_a_user_s_modules(machine: None) -> None:
    """Debian's build tools may rewrite first lines."""
    programs = [
        path
        for path in Path("/usr/libexec/sockwake").iterdir()
        if "python" in path.read_text().partition("\n")[0]
    ]
    assert len(programs) >= 5
    for path in (*programs, Path("/usr/bin/sockwake"), Path("/usr/bin/sockwake-new")):
        figures.count("hostile attempts")
        assert path.read_text().startswith(
            ("#!/usr/bin/python3 -I\n", "#!/usr/bin/python3 -IS\n")
        ), path


NAMES = (
    "../../home/x",
    "-rf",
    "$(touch /run/intruder-got-in)",
    "a;touch /run/intruder-got-in",
    "a\ntouch",
    "%i",
    ".new-pg1",
    "*",
    "pg1/",
)


def test_no_name_is_more_than_a_name(instance: Make) -> None:
    instance("--no-provision")
    for name in NAMES:
        is_no_name(name)


def is_no_name(name: str) -> None:
    """Assert that every verb refuses it, and that systemd runs nothing for it."""
    for verb in (
        ("new", "--version=18", "--no-provision"),
        ("rm", "--purge"),
        ("status",),
        ("compose",),
    ):
        figures.count("hostile attempts")
        is_pattern = (verb, name) == (("status",), "*")  # for every instance there is
        assert run("sockwake", *verb, "--", name).status == (0 if is_pattern else 2), (verb, name)
    units = f"pg-proxy@{name}.socket", f"pg-postgres@{name}.service"
    for unit in units if "/" not in name and "\n" not in name and name != "*" else ():
        figures.count("hostile attempts")
        run("systemctl", "start", unit)
        run("systemctl", "reset-failed", unit)
    assert not MARK.exists(), name


LINES = (
    "IMAGE=$(touch /run/intruder-got-in)",
    "DATA=/x`touch /run/intruder-got-in`",
    "LISTEN=127.0.0.1\\nExecStartPre=/bin/touch /run/intruder-got-in",
    "SOCKET_USER=root]\r[Service]",
    "LISTEN=/run/%i/../../etc/x",
    "KIND=../../../home",
    "PATH=/home/x",
    "LD_PRELOAD=/tmp/x.so",
    "DB_NAME=x #y",
)


def test_no_value_of_instance_env_is_more_than_a_value(instance: Make) -> None:
    """Every reader refuses it, and the neighbour's port stays open."""
    database, neighbour = instance("--no-provision"), instance("--no-provision", name="pg2")
    for line in LINES:
        is_no_setting(line, database, neighbour)


def is_no_setting(line: str, database: Database, neighbour: Database) -> None:
    text = (database.etc / "instance.env").read_text()
    key = line.partition("=")[0]
    (database.etc / "instance.env").write_text(
        "".join(f"{old}\n" for old in text.splitlines() if not old.startswith(f"{key}="))
        + f"{line}\n"
    )
    figures.count("hostile attempts")
    run("systemctl", "daemon-reload").expect(0)
    run("sockwake", "status", "pg1").expect(1, "sockwake: error: /etc/sockwake/pg1/instance.env")
    run("systemctl", "restart", database.socket)
    run("systemctl", "start", database.backend)
    until("it has ended", lambda: database.state(database.backend) in ("failed", "inactive"))
    assert "ready to accept connections" not in database.journal()
    assert neighbour.is_listening() and not MARK.exists(), line
    assert "ListenStream=127.0.0.1:25433" in run("systemctl", "cat", neighbour.socket).out
    (database.etc / "instance.env").write_text(text)
    run("systemctl", "daemon-reload").expect(0)
    run("systemctl", "reset-failed", database.socket, database.backend)
