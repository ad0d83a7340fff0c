"""Whose a listening port is, for a backend that shares the host's network with everybody."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sockwake import listeners
from sockwake.errors import SockwakeError

LISTEN = """import socket, sys
sock = socket.socket()
sock.bind(("127.0.0.1", 0))
sock.listen()
print(sock.getsockname()[1], flush=True)
sys.stdin.read()
"""


@contextmanager
def server() -> Iterator[tuple[int, int]]:
    """(process id, port) of a process that listens."""
    with subprocess.Popen([sys.executable, "-c", LISTEN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        try:
            yield process.pid, int(process.stdout.readline())
        finally:
            process.stdin.close()


@pytest.fixture
def cgroups(monkeypatch: pytest.MonkeyPatch) -> dict[int, str]:
    """Process id to cgroup, for processes that are in others than they can be without a systemd."""
    found: dict[int, str] = {}
    monkeypatch.setattr(listeners, "_cgroup", lambda pid: found.get(pid, "/elsewhere"))
    return found


def test_a_process_s_own_port_is_its_own(cgroups: dict[int, str]) -> None:
    with server() as (pid, port):
        cgroups[pid] = "/system.slice/a.service"
        listeners.require_owner(port, pid)


def test_who_listens_is_named() -> None:
    with server() as (pid, port):
        assert listeners.holder(port).startswith(f"process {pid} (")
    assert listeners.holder(port) == ""


def test_so_is_that_of_its_child_and_of_a_group_within_its_own(cgroups: dict[int, str]) -> None:
    with server() as (pid, port):
        cgroups |= {os.getpid(): "/system.slice/a.service", pid: "/system.slice/a.service/worker"}
        listeners.require_owner(port, os.getpid())


@pytest.mark.parametrize("group", ["/system.slice/b.service", "/system.slice/a.service.d", "/system.slice", "/", ""])
def test_a_stranger_s_is_not(cgroups: dict[int, str], group: str) -> None:
    with server() as (pid, port):
        cgroups |= {os.getpid(): "/system.slice/a.service", pid: group}
        with pytest.raises(SockwakeError, match=f"port {port} is not its own: process {pid} has taken it"):
            listeners.require_owner(port, os.getpid())


def test_a_process_of_no_group_owns_nothing(cgroups: dict[int, str]) -> None:
    with server() as (pid, port):
        cgroups |= {os.getpid(): "", pid: ""}
        with pytest.raises(SockwakeError, match="is not its own"):
            listeners.require_owner(port, os.getpid())


def test_only_listeners_count_and_only_of_this_port(cgroups: dict[int, str]) -> None:
    with server() as (pid, port), server() as (stranger, other), socket.create_connection(("127.0.0.1", port)):
        cgroups |= {pid: "/a", stranger: "/b"}
        listeners.require_owner(port, pid)
        with pytest.raises(SockwakeError):
            listeners.require_owner(other, pid)


def test_the_group_is_the_one_in_the_second_hierarchy() -> None:
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        groups = [line.rstrip("\n").removeprefix("0::") for line in file if line.startswith("0::")]
    assert listeners._cgroup(os.getpid()) == (groups or [""])[0]
    assert listeners._cgroup(2**22 + 1) == ""
