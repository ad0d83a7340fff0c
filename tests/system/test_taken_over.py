"""A program taken over by a client: its sandbox keeps it from the machine and from instances."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

import figures
from instances import Make, MakeService
from intruder import connecting
from program import installed, must
from service import Service
from soak import only_in_soak

WAYS = {
    "native": ("native", "--exec", "{program}"),
    "with a port": ("command", "--exec", "{program} {{port}}"),
    "with a socket": ("command", "--exec", "{program} {{socket}}"),
    "as a user of the machine": ("native", "--exec", "{program}", "--run-as", "nobody"),
}
SHOWN = ("native",)
OTHERS = [way for way in WAYS if way not in SHOWN]


@pytest.fixture
def backdoor(machine: None) -> Iterator[str]:
    """The path of backdoor.py, installed."""
    with installed("backdoor.py") as path:
        yield path


def does(service: Service, command: str) -> tuple[str, int]:
    """The output and status of a command run by the backdoor."""
    with socket.create_connection(("127.0.0.1", service.port), 30) as client:
        client.sendall(f"{command}\n".encode())
        said = b""
        while not said.endswith(b"\0") and (chunk := client.recv(65536)):
            said += chunk
    found = re.fullmatch(
        r"(.*)\nended with status (\d+)\0", said.decode(errors="replace"), re.DOTALL
    )
    assert found, said
    return found[1], int(found[2])


def attempts(service: Service, neighbour: Service) -> list[str]:
    proxy = service.main_pid(service.proxy) if not service.is_native else 1
    return [
        f"cat {neighbour.etc}/password",
        f"ls {neighbour.data}/18/docker",
        f"ls {neighbour.run}",
        "ls /run/sockwake",
        "cat /etc/shadow",
        connecting("/run/docker.sock"),
        connecting("/run/podman/podman.sock"),
        f"ls /proc/{proxy}/root/",
        "kill -0 1",
        f"kill -0 {proxy}",
        "touch /etc/x",
        "touch /usr/x",
        "touch /var/lib/sockwake/x",
        "touch /run/x",
        "touch /run/sockwake-x",
        "ls /root /home/user/.bashrc",
        "unshare --user true",
        "unshare --net true",
        "mount -t tmpfs x /mnt",
        "chmod 4755 $(mktemp)",
        "mknod x b 8 0",
        "echo 1 >/proc/sys/kernel/panic",
        "cat /proc/kmsg",
        "cat /dev/kmsg",
        "dmesg",
        "hostname elsewhere",
        "head -c 1 /proc/kcore",
        "find /sys /proc/sys /proc/irq /proc/bus /proc/fs /proc/acpi -writable | grep .",
        "find /proc -maxdepth 1 -type f -writable | grep .",
        "systemctl --no-ask-password stop sockwake.target",
        f"systemctl --no-ask-password stop {neighbour.socket}",
        "python3 -c 'import os; os.setuid(0)'",
        "sudo -n true",
        "su -c true",
    ]


@pytest.mark.parametrize("way", [*SHOWN, *only_in_soak(*OTHERS)])
def test_a_program_that_was_taken_over_gets_no_further_than_its_sandbox(
    service: MakeService, instance: Make, backdoor: str, way: str
) -> None:
    neighbour = instance("--no-provision", name="pg1")
    mine = service(*(word.format(program=backdoor) for word in WAYS[way]), idle="2s")
    said, status = does(mine, "id --user && touch own && pwd")
    assert (said.split()[0] != "0", status) == (True, 0), "the backdoor does not work"
    for command in attempts(mine, neighbour):
        figures.count("hostile attempts")
        said, status = does(mine, command)
        assert status != 0, f"{command}\nhas succeeded: {said}"
    assert (
        not Path("/etc/x").exists()
        and must("systemctl", "is-active", neighbour.socket) == "active\n"
    )
    mine.asleep()


def test_a_program_without_a_network_has_none(service: MakeService, backdoor: str) -> None:
    """It reaches neither other machines nor a server on the loopback."""
    mine = service("command", "--exec", f"{backdoor} {{port}}", idle="2s")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for target in (f"('127.0.0.1', {port})", "('192.0.2.1', 80)"):
            figures.count("hostile attempts")
            assert (
                does(mine, f'python3 -c "import socket; socket.create_connection({target}, 2)"')[1]
                != 0
            )
    mine.asleep()
