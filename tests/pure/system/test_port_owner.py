"""Which process listens on a port, for a backend that shares the host's network."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sockwake.errors import SockwakeError
from sockwake.system import pids, port_owner, procnet

LISTEN = """import socket, sys
sock = socket.socket()
sock.bind(("127.0.0.1", 0))
sock.listen()
print(sock.getsockname()[1], flush=True)
sys.stdin.read()
"""
BUSY = """import os, threading
def work():
    while True:
        os.close(os.open("/dev/null", os.O_RDONLY))
""" + LISTEN.replace(
    "sock.listen()",
    """sock.listen()
os.dup2(sock.fileno(), 200)
os.close(sock.detach())
sock = socket.socket(fileno=200)
threading.Thread(target=work, daemon=True).start()""",
)


@contextmanager
def server(program: str = LISTEN) -> Iterator[tuple[int, int]]:
    """(process id, port) of a process that listens."""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin and child.stdout
        try:
            yield child.pid, int(child.stdout.readline())
        finally:
            child.stdin.close()


@pytest.fixture
def cgroups(monkeypatch: pytest.MonkeyPatch) -> dict[int, str]:
    """Cgroups by process id, which a test cannot give its processes without systemd."""
    found: dict[int, str] = {}
    monkeypatch.setattr(pids, "cgroup", lambda pid: found.get(pid, "/elsewhere"))
    return found


def test_a_port_of_the_process_itself_is_its_own(cgroups: dict[int, str]) -> None:
    with server() as (pid, port):
        cgroups[pid] = "/system.slice/a.service"
        port_owner.require_owner(port, pid)


def holder(listen: str, port: int) -> str:
    return port_owner.holder(listen.split(","), port, procnet.NOW, port_owner.owners())


@pytest.mark.parametrize(
    ("listen", "is_taken"),
    [
        ("127.0.0.1", True),
        ("0.0.0.0", True),
        ("::1,127.0.0.1", True),
        ("127.0.0.2", False),
        ("::", False),
        ("/run/s", False),
    ],
)
def test_a_listener_at_an_address_of_the_instance_is_named(listen: str, is_taken: bool) -> None:
    with server() as (pid, port):
        assert holder(listen, port).startswith(f"process {pid} (") == is_taken
    assert holder(listen, port) == ""


@pytest.mark.parametrize("listen", ["127.0.0.1", "127.0.0.2", "::1"])
def test_a_listener_at_all_addresses_conflicts_with_each(listen: str) -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as everywhere:
        assert holder(listen, everywhere.getsockname()[1]).startswith(f"process {os.getpid()} (")


def test_a_port_of_a_process_in_its_cgroup_or_below_is_its_own(cgroups: dict[int, str]) -> None:
    with server() as (pid, port):
        cgroups |= {os.getpid(): "/system.slice/a.service", pid: "/system.slice/a.service/worker"}
        port_owner.require_owner(port, os.getpid())


@pytest.mark.parametrize(
    "group", ["/system.slice/b.service", "/system.slice/a.service.d", "/system.slice", "/", ""]
)
def test_a_port_of_another_cgroup_is_an_error(cgroups: dict[int, str], group: str) -> None:
    with server() as (pid, port):
        cgroups |= {os.getpid(): "/system.slice/a.service", pid: group}
        with pytest.raises(
            SockwakeError, match=f"port {port} is in use by another program .process {pid}, "
        ):
            port_owner.require_owner(port, os.getpid())


def test_a_process_without_a_cgroup_owns_nothing(cgroups: dict[int, str]) -> None:
    with server() as (pid, port):
        cgroups |= {os.getpid(): "", pid: ""}
        with pytest.raises(SockwakeError, match="is in use by another program"):
            port_owner.require_owner(port, os.getpid())


def test_only_listeners_count_and_only_of_this_port(cgroups: dict[int, str]) -> None:
    with (
        server() as (pid, port),
        server() as (outsider, other),
        socket.create_connection(("127.0.0.1", port)),
    ):
        cgroups |= {pid: "/a", outsider: "/b"}
        port_owner.require_owner(port, pid)
        with pytest.raises(SockwakeError):
            port_owner.require_owner(other, pid)


def test_the_group_is_the_one_in_the_second_hierarchy() -> None:
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        groups = [line.rstrip("\n").removeprefix("0::") for line in file if line.startswith("0::")]
    assert pids.cgroup(os.getpid()) == (groups or [""])[0]
    assert pids.cgroup(2**22 + 1) == ""


def test_a_server_that_opens_and_closes_files_is_found_each_time(cgroups: dict[int, str]) -> None:
    with server(BUSY) as (pid, port):
        cgroups[pid] = "/system.slice/a.service"
        for _ in range(500):
            assert port_owner._outsiders(port, "/system.slice/a.service") == {}
        cgroups[pid] = "/system.slice/b.service"
        assert set(port_owner._outsiders(port, "/system.slice/a.service").values()) == {pid}


def test_only_what_two_looks_find_is_an_error(
    cgroups: dict[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[dict[str, int]] = []
    monkeypatch.setattr(port_owner, "_outsiders", lambda port, cgroup: looks.pop(0))
    looks = [{"socket:[1]": 7}, {"socket:[1]": 0}, {"socket:[2]": 7}, {}]
    port_owner.require_owner(1, os.getpid())
    assert looks == []
    looks = [{"socket:[1]": 8}, {"socket:[1]": 0, "socket:[2]": 9}, {"socket:[2]": 9}]
    with pytest.raises(SockwakeError, match=r"port 1 is in use by another program \(process 9, "):
        port_owner.require_owner(1, os.getpid())


def test_a_port_that_never_comes_to_rest_is_not_its_own(
    cgroups: dict[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = iter(range(1000))
    monkeypatch.setattr(
        port_owner, "_outsiders", lambda port, cgroup: {f"socket:[{next(numbers)}]": 0}
    )
    with pytest.raises(SockwakeError, match="error: port 1 is in use by another program$"):
        port_owner.require_owner(1, os.getpid())
