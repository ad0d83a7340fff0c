"""An ordinary user's own instances: his files, his systemd, his podman, and no root."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from account import Account, Own
from client import Client
from conftest import NGINX
from manual import block
from moment import until
from program import must, run
from service import FIRST_PORT
from test_package import DEB, apt
from test_strangers import knocking

PAGES = ("--kind", "container", "--image", NGINX, "--container-port", "80", "--network", "none")


@pytest.fixture
def database(own: Callable[..., Own]) -> Own:
    return own("mine", "--version", "18")


@pytest.fixture
def web(own: Callable[..., Own]) -> Own:
    return own("web", *PAGES)


def page(one: Own) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{one.port}/", timeout=30) as answer:
        return str(answer.read(1000))


def test_a_database_wakes_answers_and_sleeps(account: Account, database: Own) -> None:
    assert {(entry.stat().st_uid, entry.name) for entry in database.etc.iterdir()} == {
        (account.uid, "compose.yaml"),
        (account.uid, "instance.env"),
        (account.uid, "password"),
    }
    assert (database.etc / "password").stat().st_mode & 0o777 == 0o600
    assert (account.runtime / "sockwake").stat().st_mode & 0o777 == 0o700
    for answer in ("1", "2"):
        assert database.answer(f"select {answer}") == answer
        database.asleep()


def test_the_data_belong_to_a_user_of_the_containers(account: Account, database: Own) -> None:
    cluster = database.data / "18/docker"
    assert cluster.stat().st_uid not in (0, account.uid)
    assert not Path("/var/lib/sockwake/mine").exists() and not Path("/etc/sockwake/mine").exists()


def test_a_silent_client_is_let_go_and_a_busy_one_is_not(database: Own) -> None:
    """Podman's API leaves after five seconds without a request; what is attached keeps it."""
    assert database.answer("select pg_sleep(9), 1").endswith("|1")
    database.asleep()


def test_a_stranger_is_asked_for_a_password(database: Own) -> None:
    refused = database.psql("select 1", env={"PGPASSWORD": "wrong"})
    refused.expect(2, "password authentication failed")


def test_tls_is_offered_and_data_are_adopted(account: Account, database: Own) -> None:
    database.answer("create table kept as select 7 as n")
    database.asleep()
    account.run("sockwake", "rm", "--user", "mine").expect(
        0, f"left the data and their password in {database.data}"
    )
    account.run(
        "sockwake-new",
        "mine",
        "--user",
        "--version",
        "18",
        "--tls",
        "--idle",
        "1s",
        "--enable",
        timeout=120,
    ).expect(0)
    assert database.answer("select n from kept") == "7"
    assert database.answer("select ssl from pg_stat_ssl where pid = pg_backend_pid()") == "t"
    database.asleep()


def test_a_web_server_wakes_answers_and_sleeps(web: Own) -> None:
    for _ in range(2):
        assert "nginx" in page(web)
        web.asleep()


@pytest.fixture
def way_out() -> Iterator[None]:
    """A network that seems to lead somewhere: without one podman's pasta starts no rootless container with a bridge."""
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


@pytest.mark.parametrize(
    "options",
    [
        ("--version", "18", "--check-every", "1s"),
        ("--version", "18", "--tls", "--check", "none"),
        PAGES,
    ],
    ids=["checked", "unchecked", "web"],
)
def test_a_health_check_neither_wakes_it_nor_keeps_it_awake(
    own: Callable[..., Own], options: tuple[str, ...]
) -> None:
    one = own("mine", *options, "--idle", "3s")
    before = one.journal().count("woken by")
    with knocking(one, every=0.9):
        for number in (1, 2):
            slept = one.journal().count("sockwake: asleep")
            assert page(one) if options == PAGES else one.answer("select 1")
            until("it falls asleep", lambda: one.journal().count("sockwake: asleep") > slept)
            seen = one.journal().count("turned away")
            until("it is turned away again", lambda: one.journal().count("turned away") > seen + 2)
            assert one.journal().count("woken by") == before + number
    one.asleep()


def test_the_example_of_the_manual(
    account: Account, own: Callable[..., Own], way_out: None
) -> None:
    """README.md's, word for word."""
    account.must("podman", "tag", NGINX, "localhost/notes:1")
    notes = own("notes", command=block("README.md", "## Kinds", "sockwake-new notes "))
    assert "nginx" in page(notes)
    account.must("systemctl", "--user", "stop", notes.backend)
    notes.asleep()


def test_the_proxy_of_a_web_server_may_nothing(web: Own) -> None:
    """It lives in the container's user namespace, whose root it must not be."""
    page(web)
    status = Path(f"/proc/{web.property(web.proxy, 'MainPID')}/status").read_text()
    assert "\nCapPrm:\t0000000000000000\n" in status and "\nCapBnd:\t0000000000000000\n" in status
    backend = int(web.property(web.backend, "MainPID"))
    assert Path(f"/proc/{backend}/ns/net").readlink() == Path("/proc/1/ns/net").readlink()


def test_it_is_listed_for_the_user_and_for_nobody_else(account: Account, database: Own) -> None:
    listed = json.loads(account.run("sockwake", "ls", "--user", "--json").expect(0).out)
    assert [(row["name"], row["port"]) for row in listed] == [("mine", database.port)]
    assert json.loads(must("sockwake", "ls", "--json")) == []
    account.run("sockwake", "status", "--user", "mine").expect(
        0, str(database.etc), "journalctl --user -u"
    )


def test_it_keeps_clear_of_the_systems_ports(
    account: Account, known: Callable[[str], object]
) -> None:
    known("pg1")
    run("sockwake-new", "pg1", "--version", "18", "--no-provision").expect(0)
    shown = account.run("sockwake-new", "mine", "--user", "--version", "18", "--dry-run").expect(0)
    assert f"\nPORT={FIRST_PORT + 1}\n" in shown.out
    taken = account.run(
        "sockwake-new", "mine", "--user", "--version", "18", "--port", str(FIRST_PORT)
    )
    taken.expect(3, f"port {FIRST_PORT} is already claimed by the system's instance 'pg1'")


def test_clients_are_told_why_it_cannot_start(account: Account, database: Own, web: Own) -> None:
    account.must("systemctl", "--user", "stop", "podman.socket", "podman.service")
    try:
        database.psql("select 1").expect(
            2, "FATAL:", "does not answer at", "journalctl --user -u pg-postgres@mine"
        )
        with pytest.raises(urllib.error.HTTPError) as refused:
            page(web)
        assert refused.value.code == 503 and "podman.sock" in refused.value.read().decode()
    finally:
        account.must("systemctl", "--user", "start", "podman.socket")
    assert database.answer("select 1") == "1"


@pytest.mark.fault
def test_a_waker_that_is_killed_leaves_no_container_running(
    account: Account, database: Own
) -> None:
    database.answer("select 1")
    account.must(
        "systemctl", "--user", "kill", "--kill-whom=main", "--signal=KILL", database.backend
    )
    until("its container has stopped", lambda: account.containers() == [])
    assert database.answer("select 2") == "2"


def test_removing_it_leaves_nothing(account: Account, database: Own) -> None:
    database.answer("select 1")
    database.asleep()
    account.run("sockwake", "rm", "--user", "--purge", "mine").expect(
        0, f"deleted the data in {database.data}"
    )
    assert account.left() == []


def test_compose_works_on_it(account: Account, database: Own) -> None:
    account.run("sockwake", "compose", "--user", "mine", "ps", "--all").expect(0, "sockwake-mine")


def test_a_draft_that_fails_is_undone(account: Account) -> None:
    ran = account.run(
        "sockwake-new",
        "mine",
        "--user",
        "--version",
        "18",
        "--image",
        "localhost/nobody:has",
        timeout=120,
    )
    ran.expect(1, "image localhost/nobody:has is neither on this machine nor to be had")
    assert account.left() == []


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--kind", "command", "--exec", "/bin/sleep {port}"), "of kind postgres or container"),
        (("--version", "18", "--engine", "docker"), "runs in podman"),
        (("--version", "18", "--root", "/"), "--user and --root exclude each other"),
    ],
)
def test_what_cannot_be_is_refused(account: Account, options: tuple[str, ...], text: str) -> None:
    account.run("sockwake-new", "mine", "--user", *options).expect(2, text)
    assert account.left() == []


def test_root_is_told_to_be_the_user(image: str) -> None:
    run("sockwake-new", "mine", "--user", "--version", "18").expect(
        2, "root's instances are the system's", "run it as the user"
    )


def test_who_does_not_linger_is_told(account: Account) -> None:
    mark = (
        Path("/var/lib/systemd/linger") / account.name
    )  # logind's own; loginctl would end his systemd, too
    mark.unlink()
    try:
        ran = account.run("sockwake-new", "mine", "--user", "--version", "18", "--no-provision")
        ran.expect(0, "loginctl enable-linger")
    finally:
        mark.touch()
        account.run("sockwake", "rm", "--user", "--purge", "mine").expect(0)
    assert account.left() == []


def test_it_is_there_after_the_users_systemd_was_started_anew(
    account: Account, database: Own
) -> None:
    database.answer("select 1")
    account.start_anew()
    assert database.property(database.socket, "ActiveState") == "active"
    assert database.answer("select 2") == "2"


def test_a_unix_socket_of_his_is_listened_on(account: Account, own: Callable[..., Own]) -> None:
    one = own("mine", "--version", "18", "--listen", str(account.runtime))
    password = (one.etc / "password").read_text().strip()
    ran = account.run(
        "psql",
        "-h",
        str(account.runtime),
        "-p",
        str(one.port),
        "-U",
        "postgres",
        "-XAtc",
        "select 1",
        env={"PGPASSWORD": password},
    )
    assert ran.expect(0).out == "1\n"
    one.asleep()


def test_his_files_are_where_his_systemd_looks(account: Account) -> None:
    """Which may have other variables than his shell."""
    variables = Path("/etc/environment.d/sockwake-test.conf")
    variables.parent.mkdir(exist_ok=True)
    variables.write_text(f"XDG_CONFIG_HOME={account.home}/conf\n")
    try:
        account.start_anew()
        account.must(
            "systemctl", "--user", "start", "podman.socket"
        )  # what was enabled is elsewhere
        account.run(
            "sockwake-new", "mine", "--user", "--version", "18", "--enable", timeout=120
        ).expect(0)
        assert (account.home / "conf/sockwake/mine/instance.env").exists()
        account.run("sockwake", "rm", "--user", "--purge", "mine").expect(0)
    finally:
        variables.unlink()
        run("rm", "-rf", str(account.home / "conf"))
        account.start_anew()


@pytest.mark.skipif(not DEB, reason="SOCKWAKE_DEB= names no package to install")
def test_the_package_leaves_an_awake_one_alone_and_stops_it_when_it_goes(
    account: Account, database: Own
) -> None:
    password = (database.etc / "password").read_text().strip()
    with Client(("127.0.0.1", database.port), "postgres", "postgres", password) as client:
        client.query("begin")  # or it would be let go for its silence
        apt("install", "--reinstall", DEB)
        assert client.value("select 1") == "1"
        apt("remove", "sockwake")
        assert account.containers() == []
        assert run("psql", "-h", "127.0.0.1", "-p", str(database.port)).status == 2
    apt("install", DEB)
    assert database.answer("select 2") == "2"
    database.asleep()
