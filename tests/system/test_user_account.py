"""A user's instances and the system: ports, lingering, environment, refused options."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from account import Account, Own
from program import Ran, must, run
from service import FIRST_PORT
from web import get


def test_it_is_listed_for_its_user_only(account: Account, user_database: Own) -> None:
    listed = json.loads(account.run("sockwake", "ls", "--user", "--json").expect(0).out)
    assert [(row["name"], row["port"]) for row in listed] == [("mine", user_database.port)]
    assert json.loads(must("sockwake", "ls", "--json")) == []
    account.run("sockwake", "status", "--user", "mine").expect(
        0, str(user_database.etc), "journalctl --user -u"
    )
    found = account.run("sockwake", "doctor", "--user", "mine", "--json").expect(0).out
    assert json.loads(found) == []
    (user_database.etc / "password").chmod(0o644)
    account.run("sockwake", "doctor", "--user").expect(1, "mine: others may read ")
    account.run("sockwake", "doctor", "--user", "--fix", "mine").expect(0, "fixed: mine: ")


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


@pytest.mark.soak
def test_clients_are_told_why_it_cannot_start(
    account: Account, user_database: Own, user_web: Own
) -> None:
    account.must("systemctl", "--user", "stop", "podman.socket", "podman.service")
    try:
        user_database.psql("select 1").expect(
            2, "FATAL:", "does not answer at", "journalctl --user -u pg-postgres@mine"
        )
        answer = get(user_web.port)
        assert answer.status == 503 and "podman.sock" in answer.text
    finally:
        account.must("systemctl", "--user", "start", "podman.socket")
    assert user_database.answer("select 1") == "1"
    must("journalctl", "--sync")
    ours = {("mine", "refusal"), ("mine", "wake"), (user_web.name, "refusal")}
    with_journal = account.run_with_the_journal
    assert ours <= events(with_journal("sockwake", "history", "--user", "--json"))
    metrics = with_journal("sockwake", "metrics", "--user", "mine").expect(0).out
    assert re.search(r'^sockwake_refused_clients_total{name="mine"} [1-9]', metrics, re.MULTILINE)
    of_root = events(run("sockwake", "history", "--json", "--since", "10min"))
    assert not [event for event in of_root if event[0] == "mine"], "root has no such instance"


def events(ran: Ran) -> set[tuple[str, str]]:
    """(instance, event) of each row that sockwake history has printed."""
    return {(row["name"], row["event"]) for row in json.loads(ran.expect(0).out)}


def test_removing_it_leaves_nothing(account: Account, user_database: Own) -> None:
    user_database.answer("select 1")
    user_database.asleep()
    account.run("sockwake", "rm", "--user", "--purge", "mine").expect(
        0, f"deleted the data in {user_database.data}"
    )
    assert account.left() == []


def test_a_draft_that_fails_is_undone(account: Account) -> None:
    new = "sockwake-new mine --user --version 18 --image localhost/no:such"
    ran = account.run(*new.split(), timeout=120)
    ran.expect(1, "image localhost/no:such is neither on this machine nor to be had")
    assert account.left() == []


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--kind", "command", "--exec", "/bin/sleep {port}"), "of kind postgres or container"),
        (("--version", "18", "--engine", "docker"), "runs in podman"),
        (("--version", "18", "--root", "/"), "--user and --root exclude each other"),
    ],
)
def test_impossible_options_are_refused(
    account: Account, options: tuple[str, ...], text: str
) -> None:
    account.run("sockwake-new", "mine", "--user", *options).expect(2, text)
    assert account.left() == []


def test_one_without_subordinate_ids_is_told_how_to_get_some(image: str) -> None:
    must("useradd", "--create-home", "noids")
    for path in ("/etc/subuid", "/etc/subgid"):
        must("sed", "-i", "/^noids:/d", path)
    noids = Account("noids")
    try:
        noids.linger()
        ran = noids.run("sockwake-new", "mine", "--user", "--version", "18").expect(1)
        first, second = ran.err.splitlines()  # and no word of podman's
        assert first.startswith("sockwake: error: user 'noids' has no subordinate ids, which the ")
        command, _, more = second.removeprefix("(hint: ").partition(", as root; then ")
        must(*command.split())
        noids.must(*more.partition(", as ")[0].split())
        noids.run("sockwake-new", "mine", "--user", "--version", "18").expect(1, "podman.socket")
    finally:
        noids.stop_lingering()
        must("userdel", "--remove", "--force", "noids")


def test_root_is_told_to_run_it_as_the_user(image: str) -> None:
    run("sockwake-new", "mine", "--user", "--version", "18").expect(
        2, "root's instances are the system's", "run it as the user"
    )


def test_a_user_that_does_not_linger_is_told_so(account: Account) -> None:
    # logind's file; loginctl would end the user's systemd, too
    mark = Path("/var/lib/systemd/linger") / account.name
    mark.unlink()
    try:
        ran = account.run("sockwake-new", "mine", "--user", "--version", "18", "--no-provision")
        ran.expect(0, "loginctl enable-linger")
    finally:
        mark.touch()
        account.run("sockwake", "rm", "--user", "--purge", "mine").expect(0)
    assert account.left() == []


def test_it_is_there_after_a_restart_of_the_users_systemd(
    account: Account, user_database: Own
) -> None:
    user_database.answer("select 1")
    account.start_anew()
    assert user_database.property(user_database.socket, "ActiveState") == "active"
    assert user_database.answer("select 2") == "2"


@pytest.mark.soak
def test_files_are_where_the_users_systemd_looks(account: Account) -> None:
    """The user's systemd may have other variables than the user's shell."""
    variables = Path("/etc/environment.d/sockwake-test.conf")
    variables.parent.mkdir(exist_ok=True)
    variables.write_text(f"XDG_CONFIG_HOME={account.home}/conf\n")
    try:
        account.start_anew()
        # it was enabled in the other place
        account.must("systemctl", "--user", "start", "podman.socket")
        new = "sockwake-new mine --user --version 18 --enable"
        account.must(*new.split(), timeout=120)
        assert (account.home / "conf/sockwake/mine/instance.env").exists()
        account.run("sockwake", "rm", "--user", "--purge", "mine").expect(0)
    finally:
        variables.unlink()
        run("rm", "-rf", str(account.home / "conf"))
        account.start_anew()
