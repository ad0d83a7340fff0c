"""Clients that vanish, half close or never log in keep a database awake no longer than promised."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

import figures
from client import Client
from database import Database
from instances import Make
from moment import until
from program import must, run

pytestmark = pytest.mark.fault

HERE, THERE = "192.0.2.1", "192.0.2.2"
KEEPALIVE = 60 + 4 * 15  # seconds, pg-proxy@.socket
CHECK_EVERY = 5  # seconds
UNACKNOWLEDGED = 150 + CHECK_EVERY  # seconds, tcp.py


class Elsewhere:
    """Another machine on a cable: a network namespace."""

    def __init__(self) -> None:
        must("ip", "netns", "add", "elsewhere")
        cable = "type veth peer name there netns elsewhere".split()
        must("ip", "link", "add", "cable", *cable)
        must("ip", "address", "add", f"{HERE}/24", "dev", "cable")
        must("ip", "link", "set", "cable", "up")
        for command in (
            ("address", "add", f"{THERE}/24", "dev", "there"),
            ("link", "set", "there", "up"),
        ):
            must("ip", "-n", "elsewhere", *command)

    def connect(self, database: Database) -> Client:
        figures.count("connections made")
        ours = os.open("/proc/self/ns/net", os.O_RDONLY)
        theirs = os.open("/run/netns/elsewhere", os.O_RDONLY)
        os.setns(theirs, os.CLONE_NEWNET)
        try:
            return Client((HERE, database.port), "postgres", "postgres", database.password)
        finally:
            os.setns(ours, os.CLONE_NEWNET)
            os.close(ours)
            os.close(theirs)

    def pull_the_cable(self) -> None:
        must("ip", "-n", "elsewhere", "link", "set", "there", "down")


@pytest.fixture
def elsewhere(machine: None) -> Iterator[Elsewhere]:
    yield Elsewhere()
    run("ip", "netns", "del", "elsewhere")
    run("ip", "link", "del", "cable")
    run("umount", "/run/netns")


def test_a_vanished_client_is_let_go_with_unacknowledged_data_or_without(
    instance: Make, elsewhere: Elsewhere
) -> None:
    """Within the documented times. Each is in a transaction, so that silence is no reason."""
    options = ("--listen", HERE, "--check-every", f"{CHECK_EVERY}s")
    silent, sending = instance(*options, name="silent"), instance(*options, name="sending")
    with ExitStack() as stack:
        one = stack.enter_context(closing(elsewhere.connect(silent)))
        one.query("begin")
        two = stack.enter_context(closing(elsewhere.connect(sending)))
        two.query("begin")
        two.ask("select pg_sleep(2), repeat('x', 1000000)")
        elsewhere.pull_the_cable()
        began = time.monotonic()
        time.sleep(KEEPALIVE / 2)  # a short loss of the network ends no session
        assert silent.is_awake() and sending.is_awake()
        silent.asleep(timeout=KEEPALIVE - (time.monotonic() - began) + 15)
        sending.asleep(timeout=UNACKNOWLEDGED + CHECK_EVERY - (time.monotonic() - began) + 15)
        must("ip", "link", "del", "cable")  # the clients themselves do not notice for long
    assert (
        f"sockwake: {THERE}:" in (said := sending.journal("--unit=pg-check@sending.service"))
        and "has vanished" in said
    )


def test_a_half_closed_connection_is_let_go(instance: Make) -> None:
    database = instance("--check", "none")
    with closing(database.connect()) as client:
        client.query("begin")
        client.say_no_more()
        database.asleep()


def test_a_client_that_never_finishes_its_login_is_let_go(instance: Make) -> None:
    database = instance("--check", "none", "--set", "authentication_timeout=2s")
    with socket.create_connection(("127.0.0.1", database.port)) as client:
        client.sendall(struct.pack("!II", 10_000, 3 << 16) + b"user\0postgres\0database\0")

        def is_let_go() -> bool:
            try:
                client.send(b"x")
            except ConnectionError:
                return True
            return False

        database.await_awake()
        until("it is let go", is_let_go)
        database.asleep()
