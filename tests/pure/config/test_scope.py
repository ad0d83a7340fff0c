"""The scope of a process: paths, engine and environment, and what a user's own cannot be."""

import argparse
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from env_file import env
from generator import drop_ins, places
from sockwake.admin.make import host
from sockwake.config import scope
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings
from sockwake.engine.api import DOCKER, PODMAN, socket_of
from sockwake.engine.resources import engines_of
from sockwake.errors import SockwakeError
from sockwake.kinds.table import KINDS
from sockwake.lifecycle import proxy_netns, runtime
from sockwake.system import namespaces, process
from tree import SOCKWAKE, SOURCE, run

NAME = Name("pg1")


@pytest.fixture
def user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The home of a user about whose instances this process is."""
    monkeypatch.setenv("SOCKWAKE_SCOPE", "user")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    for variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(variable, raising=False)
    yield tmp_path


def test_an_instance_is_the_systems_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOCKWAKE_SCOPE", raising=False)
    instance = Instance(NAME)
    assert (instance.etc, instance.data, instance.run) == (
        "/etc/sockwake/pg1",
        "/var/lib/sockwake/pg1",
        "/run/sockwake/pg1",
    )
    assert (socket_of("docker"), socket_of("podman"), scope.switch()) == (DOCKER, PODMAN, ())


def test_a_users_is_at_home(user: Path) -> None:
    instance = Instance(NAME)
    assert instance.etc == f"{user}/.config/sockwake/pg1"
    assert instance.data == f"{user}/.local/share/sockwake/pg1"
    assert instance.run == f"{user}/runtime/sockwake/pg1"
    assert scope.command("systemctl", "stop", "x") == "systemctl --user stop x"


def test_the_xdg_variables_count_when_they_are_absolute(
    user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/elsewhere")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert Instance(NAME).etc == "/elsewhere/sockwake/pg1"
    assert Instance(NAME).data == f"{user}/.local/share/sockwake/pg1"


def test_the_runtime_directory_is_known_where_su_forgot_it(
    user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert scope.run() == f"/run/user/{os.getuid()}/sockwake"


def test_a_users_engine_is_always_the_users_podman(user: Path) -> None:
    assert {socket_of("docker"), socket_of("podman")} == {f"{user}/runtime/podman/podman.sock"}
    (user / "runtime/podman").mkdir(parents=True)
    path = user / "runtime/podman/podman.sock"
    with socket.socket(socket.AF_UNIX) as podman:
        podman.bind(str(path))
        podman.listen()
        assert [engine.path for engine in engines_of(None)] == [str(path)]
    assert path.exists() and engines_of(None) == [], "it has been stopped"


def test_nothing_is_mounted_for_a_user(user: Path) -> None:
    instance = Instance(NAME)
    proxy_netns.close_off(instance)
    assert not os.path.exists(instance.netns) and not proxy_netns.is_proxys(instance)
    proxy_netns.require_agreement(instance, True)


@pytest.mark.skipif(
    os.geteuid() != 0, reason="only root may enter a network namespace, even its own"
)
def test_a_socket_comes_out_of_a_namespace_that_no_process_can_leave(user: Path) -> None:
    own = os.open("/proc/self/ns/net", os.O_RDONLY)
    before = set(os.listdir("/proc/self/fd"))
    sock = namespaces._sent_from(own)
    assert len(set(os.listdir("/proc/self/fd")) - before) == 1
    assert (sock.family, sock.type, os.get_inheritable(sock.fileno())) == (2, 1, False)
    sock.close()
    with (
        open(os.devnull, encoding="ascii") as no_namespace,
        pytest.raises(OSError, match="cannot be entered"),
    ):
        namespaces._sent_from(no_namespace.fileno())
    os.close(own)


@pytest.mark.parametrize(
    ("kind", "given", "why"),
    [
        ("command", {}, "is of kind postgres or container"),
        ("native", {}, "is of kind postgres or container"),
        ("postgres", {"engine": "docker"}, "runs in podman"),
        ("container", {"allow": ["::1"]}, "cannot filter addresses"),
        ("container", {"socket_user": "root"}, "is the user's"),
    ],
)
def test_what_a_user_cannot_have_is_refused(kind: str, given: dict[str, str], why: str) -> None:
    arguments = argparse.Namespace(
        **{"engine": None, "runtime": None, "socket_user": None, "allow": None, **given}
    )
    with pytest.raises(SockwakeError, match=why) as error:
        host.require_possible_for_a_user(arguments, KINDS[kind])
    assert error.value.status == 2


def test_a_users_container_has_a_network_that_a_user_can_make(
    user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def networks(*, by_engine: bool) -> list[str]:
        return [
            host.default_network(KINDS[kind], by_engine=by_engine)
            for kind in ("postgres", "container")
        ]

    assert networks(by_engine=True) == networks(by_engine=False) == ["none", "pasta"]
    monkeypatch.delenv("SOCKWAKE_SCOPE")
    assert networks(by_engine=True) == ["none", "bridge"]
    assert networks(by_engine=False) == ["none", "none"]


@pytest.mark.skipif(os.geteuid() != 0, reason="is about root")
def test_roots_instances_are_the_systems() -> None:
    ran = run(*SOCKWAKE, "ls", "--user")
    assert (ran.status, ran.stdout) == (2, "")
    assert (
        ran.stderr
        == "sockwake: error: root's instances are the system's\n(hint: run it as the user)\n"
    )


@pytest.mark.parametrize("scope_of", ["user", "system"])
def test_the_generator_reads_the_users_instances_for_the_users_systemd(
    tmp_path: Path, scope_of: str
) -> None:
    config = tmp_path / "home/.config/sockwake/pg1"
    config.mkdir(parents=True)
    (config / "instance.env").write_text(env(TLS="yes"))
    out = tmp_path / "out"
    out.mkdir()
    environment = {
        **places(SOURCE),
        "SYSTEMD_SCOPE": scope_of,
        "HOME": str(tmp_path / "home"),
        "XDG_CONFIG_HOME": "",
        "SOCKWAKE_ETC": "",
    }
    ran = run("dash", str(SOURCE / "systemd/sockwake-generator"), *[str(out)] * 3, env=environment)
    assert (ran.status, ran.stderr) == (0, "")
    # no tcp.conf: no unit of a user's can join a network namespace; and all are an engine's
    found = sorted(str(path.relative_to(out)) for path in out.rglob("*.conf"))
    expected = [path for path in drop_ins("pg1", "", b"") if not path.endswith("/runtime.conf")]
    assert found == (sorted(expected) if scope_of == "user" else [])


def test_the_generator_makes_nothing_for_root_as_a_user(tmp_path: Path) -> None:
    ran = run(
        "dash",
        str(SOURCE / "systemd/sockwake-generator"),
        *[str(tmp_path)] * 3,
        env={"SYSTEMD_SCOPE": "user", "HOME": "/root"},
    )
    assert (ran.status, list(tmp_path.iterdir())) == (0, [])


@pytest.mark.parametrize(
    ("pid", "expected"),
    [(0, ""), (1234, "nsenter --preserve-credentials --user --net --target 1234 ")],
)
def test_a_users_proxy_goes_where_the_ready_file_says(user: Path, pid: int, expected: str) -> None:
    instance = Instance(NAME)
    Path(instance.run).mkdir(parents=True)
    runtime.announce_ready(
        instance,
        Settings(
            "KIND=container\nIMAGE=nginx:1\nLISTEN=127.0.0.1\nPORT=25432\nBACKEND_PORT=80\nIDLE=5s\n",
            instance,
        ),
        pid,
    )
    assert Path(instance.ready_file).read_text().split() == [
        "5",
        "127.0.0.1:80",
        *([str(pid)] if pid else []),
    ]
    programs = user / "programs"
    programs.mkdir()
    (programs / "nsenter").write_text('#!/bin/sh\necho nsenter "$@"\n')
    (programs / "nsenter").chmod(0o755)
    ran = run(
        "dash", str(SOURCE / "bin/proxy"), NAME, env={"PATH": f"{programs}:{os.environ['PATH']}"}
    )
    if pid:
        assert ran.stdout.startswith(expected) and ran.stdout.endswith(
            " --exit-idle-time=5 127.0.0.1:80\n"
        )
        assert " setpriv --bounding-set=-all " in ran.stdout
    else:
        assert "nsenter" not in ran.stdout


MEANT_FOR_OTHERS = dict.fromkeys(
    (
        "IMAGE",
        "COMPOSE_FILE",
        "DOCKER_CONFIG",
        "DOCKER_HOST",
        "LD_LIBRARY_PATH",
        "LD_PRELOAD",
        "OPENSSL_CONF",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "SOCKWAKE_ETC",
        "SOCKWAKE_NAME",
        "SYSTEMD_UNIT_PATH",
        "TMPDIR",
    ),
    "/home/caller/x",
)


@pytest.mark.parametrize("user", [False, True])
def test_the_environment_of_the_caller_gets_into_no_program_that_is_run(
    monkeypatch: pytest.MonkeyPatch, user: bool
) -> None:
    own = {
        "HOME": "/home/caller",
        "PATH": "/home/caller/bin:/usr/bin",
        "https_proxy": "http://proxy:3128",
        "XDG_RUNTIME_DIR": "/run/user/7",
    }
    with mock.patch.dict(os.environ, MEANT_FOR_OTHERS | own, clear=True):
        scope.choose(user=user)
        seen = dict(line.split("=", 1) for line in process.run(["env"]).splitlines())
    assert seen == {
        "HOME": own["HOME"] if user else "/root",
        "PATH": own["PATH"]
        if user
        else "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "https_proxy": own["https_proxy"],
        "XDG_RUNTIME_DIR": own["XDG_RUNTIME_DIR"],
        "SOCKWAKE_SCOPE": "user" if user else "system",
        "LC_ALL": "C.UTF-8",
    }


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a directory away")
@pytest.mark.parametrize("owner", [os.getuid(), os.getuid() + 1])
def test_the_runtime_directory_of_the_user_before_is_not_taken(tmp_path: Path, owner: int) -> None:
    """su(1) without "-" keeps the variables of the shell that it is typed in."""
    os.chown(tmp_path, owner, -1)
    left = {
        "XDG_RUNTIME_DIR": str(tmp_path),
        "DBUS_SESSION_BUS_ADDRESS": f"unix:path={tmp_path}/bus",
    }
    with mock.patch.dict(os.environ, left):
        scope.choose(user=True)
        kept = {name: os.environ[name] for name in left if name in os.environ}
        assert kept == (left if owner == os.getuid() else {})
        base = tmp_path if kept else f"/run/user/{os.getuid()}"
        assert scope.run() == f"{base}/sockwake"


def test_times_are_those_of_the_machine_whatever_zone_the_caller_has() -> None:
    """systemd takes and tells none other, and one command would mix the two."""
    here = time.localtime().tm_gmtoff
    with mock.patch.dict(os.environ, {"TZ": "Nowhere-9:30"}):
        time.tzset()
        assert time.localtime().tm_gmtoff == 34_200
        scope.choose(user=False)
        assert time.localtime().tm_gmtoff == here
    time.tzset()
