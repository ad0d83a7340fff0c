"""An ordinary user's own instances wake, answer and sleep, without root."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from account import WEB, Account, MakeOwn, Own
from client import Client
from manual import block
from moment import until
from package import DEB, apt
from program import must, run
from stranger import knocking
from web import get
from webshop import NGINX


def test_a_database_wakes_answers_and_sleeps(account: Account, user_database: Own) -> None:
    assert {(entry.stat().st_uid, entry.name) for entry in user_database.etc.iterdir()} == {
        (account.uid, "compose.yaml"),
        (account.uid, "instance.env"),
        (account.uid, "password"),
    }
    assert (user_database.etc / "password").stat().st_mode & 0o777 == 0o600
    assert (account.runtime / "sockwake").stat().st_mode & 0o777 == 0o700
    cluster = user_database.data / "18/docker"
    assert cluster.stat().st_uid not in (0, account.uid), "a user of the containers"
    assert not Path("/var/lib/sockwake/mine").exists() and not Path("/etc/sockwake/mine").exists()
    account.run("sockwake", "compose", "--user", "mine", "ps", "--all").expect(0, "sockwake-mine")
    for answer in ("1", "2"):
        assert user_database.answer(f"select {answer}") == answer
        user_database.asleep()
    # podman's API service exits after five seconds without a request or an attached client
    assert user_database.answer("select pg_sleep(9), 1").endswith("|1")
    refused = user_database.psql("select 1", env={"PGPASSWORD": "wrong"})
    refused.expect(2, "password authentication failed")
    user_database.asleep()
    # ends what holds podman's namespace, and its API runs on in there; then that, too
    account.must("podman", "system", "migrate")
    assert user_database.answer("select 3") == "3"
    user_database.asleep()
    account.must("systemctl", "--user", "stop", "podman.service")
    account.must("podman", "system", "migrate")
    none = account.run("sockwake", "rm", "--user", "none", cwd="/root")
    none.expect(5, "there is no instance 'none'")
    assert user_database.answer("select 4") == "4"
    user_database.asleep()


@pytest.mark.soak
def test_tls_is_offered_and_data_are_adopted(account: Account, user_database: Own) -> None:
    user_database.answer("create table kept as select 7 as n")
    user_database.asleep()
    account.run("sockwake", "rm", "--user", "mine").expect(
        0, f"left the data and their password in {user_database.data}"
    )
    new = "sockwake-new mine --user --version 18 --tls --idle 1s --enable"
    account.must(*new.split(), timeout=120)
    assert user_database.answer("select n from kept") == "7"
    assert user_database.answer("select ssl from pg_stat_ssl where pid = pg_backend_pid()") == "t"
    user_database.asleep()


@pytest.mark.soak
def test_an_export_with_tls_is_the_user_s_and_runs_as_a_quadlet(
    account: Account, own: MakeOwn, way_out: None
) -> None:
    one = own("mine", "--version", "18", "--tls")
    for to in ("compose", "quadlet"):
        account.must(*"sockwake export --user mine --to".split(), to, "--output", to, timeout=120)
    assert {path.stat().st_uid for path in (account.home / "compose").iterdir()} == {account.uid}
    one.asleep()
    account.must("systemctl", "--user", "disable", "--now", one.socket)
    full = "docker.io/library/postgres:18"  # as from its registry
    account.must("podman", "tag", "postgres:18", full)
    try:
        account.run("sh", "quadlet/load", timeout=240).expect(0, "All of cluster.sql is loaded.")
        assert one.answer("select ssl from pg_stat_ssl where pid = pg_backend_pid()") == "t"
    finally:
        away = (
            "systemctl --user stop mine; rm -r .config/containers/systemd compose quadlet; "
            "systemctl --user daemon-reload; podman volume rm mine-data; "
            f"podman secret rm mine-password mine-key mine-certificate; podman untag {full} {full}"
        )
        account.must("sh", "-c", away, timeout=120)


def test_a_web_server_wakes_answers_and_sleeps_behind_a_proxy_without_capabilities(
    user_web: Own,
) -> None:
    """The proxy runs in the container's user namespace, but not as root of that."""
    for _ in range(2):
        assert "nginx" in get(user_web.port).text
        proxy = user_web.property(user_web.proxy, "MainPID")
        status = Path(f"/proc/{proxy}/status").read_text()
        for line in ("CapPrm", "CapBnd"):
            assert f"\n{line}:\t0000000000000000\n" in status
        backend = int(user_web.property(user_web.backend, "MainPID"))
        assert Path(f"/proc/{backend}/ns/net").readlink() == Path("/proc/1/ns/net").readlink()
        user_web.asleep()


@pytest.fixture
def way_out() -> Iterator[None]:
    """A default route: without one podman's pasta starts no rootless container with a bridge."""
    if must("ip", "route", "show", "default"):
        yield
        return
    must("ip", "link", "add", "outside", "type", "veth", "peer", "name", "outside-end")
    try:
        must("ip", "address", "add", "192.0.2.1/24", "dev", "outside")
        must("ip", "link", "set", "outside", "up")
        must("ip", "link", "set", "outside-end", "up")
        must("ip", "route", "add", "default", "via", "192.0.2.254")
        yield
    finally:
        must("ip", "link", "delete", "outside")


@pytest.mark.soak
@pytest.mark.parametrize(
    "options",
    [
        ("--version", "18", "--check-every", "1s"),
        ("--version", "18", "--tls", "--check", "none"),
        WEB,
    ],
)
def test_a_health_check_neither_wakes_it_nor_keeps_it_awake(
    own: MakeOwn, options: tuple[str, ...]
) -> None:
    one = own("mine", *options, "--idle", "3s")
    before = one.journal().count("woken by")
    with knocking(one, every=0.9):
        for number in (1, 2):
            slept = one.journal().count("sockwake: asleep")
            assert get(one.port).status == 200 if options == WEB else one.answer("select 1")
            until("it falls asleep", lambda: one.journal().count("sockwake: asleep") > slept)
            seen = one.journal().count("turned away")
            until("it is turned away again", lambda: one.journal().count("turned away") > seen + 2)
            assert one.journal().count("woken by") == before + number
    one.asleep()


def test_the_example_of_the_manual(account: Account, own: MakeOwn, way_out: None) -> None:
    """README.md's, word for word."""
    account.must("podman", "tag", NGINX, "localhost/notes:1")
    notes = own("notes", command=block("README.md", "## Kinds", "sockwake-new notes "))
    assert "nginx" in get(notes.port).text
    account.must("systemctl", "--user", "stop", notes.backend)
    notes.asleep()


@pytest.mark.fault
def test_a_waker_that_is_killed_leaves_no_container_running(
    account: Account, user_database: Own
) -> None:
    user_database.answer("select 1")
    account.must(
        "systemctl", "--user", "kill", "--kill-whom=main", "--signal=KILL", user_database.backend
    )
    until("its container has stopped", lambda: account.containers() == [])
    assert user_database.answer("select 2") == "2"


@pytest.mark.soak
def test_it_listens_on_a_unix_socket_of_the_user(account: Account, own: MakeOwn) -> None:
    one = own("mine", "--version", "18", "--listen", str(account.runtime))
    password = (one.etc / "password").read_text().strip()
    argv = (*"psql -U postgres -XAtc".split(), "select 1", "-h", str(account.runtime))
    ran = account.run(*argv, "-p", str(one.port), env={"PGPASSWORD": password})
    assert ran.expect(0).out == "1\n"
    one.asleep()


@pytest.mark.soak
@pytest.mark.skipif(not DEB, reason="SOCKWAKE_DEB= names no package to install")
def test_reinstalling_keeps_an_awake_instance_and_removing_stops_it(
    account: Account, user_database: Own
) -> None:
    password = (user_database.etc / "password").read_text().strip()
    with Client(("127.0.0.1", user_database.port), "postgres", "postgres", password) as client:
        client.query("begin")  # or it would be let go for its silence
        apt("install", "--reinstall", DEB)
        assert client.value("select 1") == "1"
        apt("remove", "sockwake")
        assert account.containers() == []
        assert run("psql", "-h", "127.0.0.1", "-p", str(user_database.port)).status == 2
    apt("install", DEB)
    assert user_database.answer("select 2") == "2"
    user_database.asleep()
    # what its user has stopped, to copy the data, stays so
    account.must("systemctl", "--user", "stop", user_database.socket)
    apt("install", "--reinstall", DEB)
    assert user_database.property(user_database.socket, "ActiveState") == "inactive"
    account.must("systemctl", "--user", "start", user_database.socket)
