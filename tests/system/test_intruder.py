"""An ordinary user who is logged in can be a client of an instance, and nothing else."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

import figures
from client import Client
from database import Database
from instances import Instances
from intruder import Intruder, connecting
from moment import until
from program import must, run
from service import Service
from soak import only_in_soak
from squatter import squatting

REDIS = "/usr/bin/redis-server {place} --dir {{data}} --daemonize no"
NGINX = ("--kind", "container", "--image", "nginx:local", "--container-port", "80")
# the options of each way to reach a backend, and how much the proxy may be exposed (0 to 10)
WAYS: dict[str, tuple[tuple[str, ...], float]] = {
    "postgres": (("--version", "18"), 1.0),
    "postgres with TLS": (("--version", "18", "--tls"), 1.5),
    "container": ((*NGINX, "--network", "none"), 1.5),
    "container in an engine": ((*NGINX, "--network", "none", "--runtime", "engine"), 1.5),
    "container on a bridge": ((*NGINX, "--network", "bridge"), 1.5),
    "container on the host's network": ((*NGINX, "--network", "host"), 1.5),
    "program with a port": (
        ("--kind", "command", "--exec", REDIS.format(place="--port {port} --bind 127.0.0.1")),
        1.5,
    ),
    "program with a socket": (
        ("--kind", "command", "--exec", REDIS.format(place="--port 0 --unixsocket {socket}")),
        1.0,
    ),
    "native program": (
        ("--kind", "native", "--exec", "/usr/local/bin/native-service-of-the-tests"),
        0.0,
    ),
}
SHOWN = ("postgres", "container on a bridge", "program with a socket", "native program")
OTHERS = [way for way in WAYS if way not in SHOWN]
# which wake it, or have its timer made, and have ended soon
HELPERS = (
    *("/sockwake/await", "/sockwake/check", "/sockwake/program", "/sockwake/wanted"),
    *("setsid", "sleep", "systemctl", "systemd-run"),
)
LASTING = 1.0  # seconds that none of them takes


@pytest.fixture
def make(
    made: Instances, image: str, nginx: str, redis: str, program: str
) -> Callable[[str], Service]:
    """make(WAY) makes an instance whose backend is reached in this way (WAYS)."""

    def one(way: str) -> Service:
        options, _ = WAYS[way]
        kind = Database if "--version" in options else Service
        service = made.know(kind("svc1"))
        run("sockwake-new", "svc1", "--idle", "1s", "--enable", *options).expect(0)
        return service

    return one


@contextmanager
def awake(service: Service) -> Iterator[None]:
    """A client is connected and served meanwhile; in the end it is asleep."""
    if isinstance(service, Database):
        held: Client | socket.socket = service.at_work()
    else:
        held = socket.create_connection(("127.0.0.1", service.port), 30)
        speaks_http = service.setting("KIND") != "command"
        request = b"GET /hold/15 HTTP/1.1\r\nHost: it\r\n\r\n"
        held.sendall(request if speaks_http else b"PING\r\n")
        service.await_awake()
    try:
        yield
    finally:
        held.close()
        service.asleep()


@pytest.mark.parametrize("way", [*SHOWN, *only_in_soak(*OTHERS)])
def test_another_user_reaches_nothing_of_an_instance_but_its_port(
    make: Callable[[str], Service], intruder: Intruder, way: str
) -> None:
    service = make(way)
    with awake(service):
        intruder.is_denied(
            *ways_in(service),
            *(
                f"systemctl --no-ask-password {verb}"
                for verb in (
                    f"stop {service.socket}",
                    f"kill {service.backend}",
                    f"start {service.backend}",
                    f"set-property {service.proxy} User=root",
                    "set-environment LD_PRELOAD=/tmp/x.so",
                    "daemon-reload",
                )
            ),
        )
        if service.setting("KIND") == "container" and not service.is_bundled:
            for address in must(
                "docker",
                "inspect",
                "--format={{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}",
                service.container,
            ).split():
                intruder.fails(f"curl --silent --max-time 2 http://{address}/")
        if not service.is_native:
            assert service.exposure(service.proxy) <= WAYS[way][1]
    intruder.is_denied(*takings(service))


def lasting(service: Service) -> list[str]:
    """The ids of the processes that it keeps: those that have been there for a second."""
    since: dict[str, float] = {}

    def have_settled() -> bool:
        now = time.monotonic()
        pids = [
            line.split()[0]
            for line in service.processes()
            if not any(helper in line for helper in HELPERS)
        ]
        seen = {pid: since.get(pid, now) for pid in pids}
        since.clear()
        since.update(seen)
        return bool(since) and all(now - first >= LASTING for first in since.values())

    until("its helpers have ended", have_settled)
    return list(since)


def ways_in(service: Service) -> list[str]:
    """Commands that would reach the backend, its secrets or its data while it is awake."""
    pids = lasting(service)
    assert len(pids) >= 1 + (not service.is_native)
    secrets = [
        service.etc / name for name in ("password", "server.key") if (service.etc / name).exists()
    ]
    return [
        *(f"ls /proc/{pid}/{what}" for pid in pids[:4] for what in ("root/", "cwd/", "fd/")),
        f"cat /proc/{pids[0]}/environ",
        f"kill {pids[0]}",
        f"nsenter --target={pids[0]} --net true",
        f"nsenter --target={pids[-1]} --mount true",
        f"ls {service.run}",
        f"nsenter --net={service.run}/netns true",
        connecting(service.run / "backend/.s.PGSQL.5432"),
        connecting("/run/docker.sock"),
        connecting("/run/podman/podman.sock"),
        *(f"cat {secret}" for secret in secrets),
        *([f"ls {service.data}/"] if service.data.exists() else []),
        f"systemd-run --no-ask-password --unit={service.look} true",
    ]


def takings(service: Service) -> list[str]:
    """Commands that would take a path that a sleeping instance will use."""
    return [
        f"mkdir -p {service.run}/backend",
        f"touch {service.run}/ready",
        "mv /run/sockwake /run/sockwake.old",
        f"mkdir /run/sockwake-{service}",
        f"ln -s /home /run/sockwake-{service}",
        f"touch {service.etc}/service.conf",
        f"mv {service.etc} /etc/sockwake/x",
        "ln -s /home /etc/sockwake/x",
        "mkdir /etc/sockwake/.new-x",
        "mkdir -p /var/lib/sockwake/x",
        *([f"mv {service.data} /var/lib/sockwake/x"] if service.data.exists() else []),
        "mkdir -p /run/systemd/system/pg-proxy@svc1.service.d",
        "touch /run/systemd/generator/pg-proxy@svc1.socket.d/x.conf",
    ]


def test_on_a_bridge_a_container_still_reaches_others(make: Callable[[str], Service]) -> None:
    """It reaches a server of the host, at the port on which the host cannot reach it."""
    service = make("container on a bridge")
    with awake(service):
        gateway = must(
            "docker",
            "inspect",
            "--format={{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}",
            service.container,
        ).strip()
        with socket.create_server((gateway, 80)) as server:
            server.settimeout(10)
            inside = ("nsenter", f"--target={service.server_pid()}", "--net")
            must(*inside, "bash", "-c", f"exec 3<>/dev/tcp/{gateway}/80")
            server.accept()[0].close()


@pytest.mark.parametrize("way", ["postgres", "native program", *only_in_soak("postgres with TLS")])
def test_no_client_reaches_another_listener_while_it_sleeps(
    make: Callable[[str], Service], way: str
) -> None:
    """test_container_faults.py and test_command.py prove it of containers and programs."""
    service = make(way)
    with squatting() as catch:
        for _ in range(2):
            figures.count("hostile attempts")
            with awake(service):
                pass
    assert catch.ports > 10000 and catch.said == []
