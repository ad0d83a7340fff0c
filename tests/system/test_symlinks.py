"""Root's programs follow no links of a user, of a container's user or of a program."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import figures
from account import Account, Own
from check_program import CheckProgram
from instances import Know, KnowService, Make, MakeService
from intruder import Intruder
from program import must, run
from refusal import ASLEEP_OR_FAILED, told
from web import get

BY_OTHERS = "can be replaced by others than root"


class Victim:
    """A directory of root's that no test may change."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "inside").mkdir(parents=True)
        (path / "shadow").write_text("secret\n")
        (path / "shadow").chmod(0o600)
        self._before = self._look()

    def _look(self) -> list[tuple[str, int, int, int, str]]:
        every = [self.path, *sorted(self.path.rglob("*"))]
        return [
            (
                str(path),
                (found := path.lstat()).st_mode,
                found.st_uid,
                found.st_gid,
                path.read_text() if stat.S_ISREG(found.st_mode) else "",
            )
            for path in every
        ]

    def require_untouched(self) -> None:
        figures.count("hostile attempts")
        assert self._look() == self._before


@pytest.fixture
def victim() -> Iterator[Victim]:
    path = Path("/etc/victim-of-the-tests")
    try:
        yield Victim(path)
    finally:
        run("rm", "-rf", str(path))


def test_no_data_are_made_below_a_directory_of_a_user_s(
    known: Know, intruder: Intruder, victim: Victim
) -> None:
    known("pg1")
    for place in ("db", "deeper/db"):
        ran = run("sockwake-new", "pg1", "--version", "18", "--data", f"{intruder.home}/{place}")
        ran.expect(1, f"{BY_OTHERS}: {intruder.home} belongs to")
    intruder.must(f"ln -s {victim.path} link")
    run("sockwake-new", "pg1", "--version", "18", "--data", f"{intruder.home}/link/inside").expect(
        1, BY_OTHERS
    )
    run("sockwake-new", "pg1", "--version", "18", "--data", "/tmp/db-of-the-tests").expect(
        1, f"{BY_OTHERS}: /tmp is writable by every user"
    )
    intruder.must("rm link")
    victim.require_untouched()


def test_neither_a_wake_nor_a_removal_follows_a_link_in_the_place_of_data(
    instance: Make, intruder: Intruder, victim: Victim
) -> None:
    """The administrator may have edited DATA=, or given the directory to a user later."""
    database = instance()
    database.asleep()
    good = (database.etc / "instance.env").read_text()
    for place in (f"{intruder.home}/db", "/tmp/db-of-the-tests"):
        intruder.must(f"ln -s {victim.path} {place}")
        (database.etc / "instance.env").write_text(f"{good}DATA={place}\n")
        for mark in ("", "uninitialised"):
            if mark:
                (database.etc / mark).write_text("")
            told(database, BY_OTHERS)
            victim.require_untouched()
        for options in ([], ["--purge"]):
            run("sockwake", "rm", "pg1", *options).expect(1, BY_OTHERS)
            victim.require_untouched()
        (database.etc / "uninitialised").unlink()
        intruder.must(f"rm {place}")
    (database.etc / "instance.env").write_text(good)
    assert database.psql() == "1"
    database.asleep()


def test_root_follows_no_link_of_a_container_s_user(instance: Make, victim: Victim) -> None:
    """Version 17's data directory is that user's; a wake writes a key there, rm the password."""
    database = instance("--tls", version="17")
    assert database.psql() == "1"
    database.asleep()
    owner = database.data.stat().st_uid
    assert owner != 0
    as_owner = ("setpriv", f"--reuid={owner}", "--regid=nogroup", "--clear-groups", "sh", "-c")
    shadow, folder = victim.path / "shadow", database.data
    must(
        *as_owner,
        f"cd {folder} && rm server.key server.crt && mkfifo server.crt && "
        f"ln -s {shadow} server.key && ln -s {shadow} server.key.new && "
        f"ln -s {shadow} server.crt.new && ln -s {shadow} sockwake-password && "
        f"ln -s {victim.path} linked",
    )
    assert database.psql() == "1"
    victim.require_untouched()
    database.asleep()
    run("sockwake", "rm", "pg1").expect(0, "left the data and their password in")
    victim.require_untouched()
    must(*as_owner, f"cd {folder} && mv PG_VERSION was && mkfifo PG_VERSION")
    run("sockwake-new", "pg1", "--version", "17", timeout=20).expect(1, "it is no plain file")
    must(*as_owner, f"cd {folder} && rm PG_VERSION && ln -s {shadow} PG_VERSION")
    assert "secret" not in str(run("sockwake-new", "pg1", "--version", "17").expect(1))
    must(
        *as_owner,
        f"cd {folder} && rm PG_VERSION && mv was PG_VERSION && rm -f sockwake-password && "
        f"ln -s {shadow} sockwake-password",
    )
    again = instance(version="17")
    assert "secret" not in again.password
    run("sockwake", "rm", "pg1", "--purge").expect(0)
    victim.require_untouched()


@pytest.mark.parametrize("place", ["a link to the engine's socket", "a link to a file"])
def test_a_program_s_socket_is_no_link(service: MakeService, victim: Victim, place: str) -> None:
    target = "/run/docker.sock" if "engine" in place else victim.path / "shadow"
    before = os.stat(target)
    cache = service(
        "command",
        "--no-provision",
        "--exec",
        f'/bin/sh -c "ln -s {target} {{socket}}; exec sleep 60"',
    )
    cache.edit("instance.env", "IDLE=1s\n", "IDLE=1s\nSTART_TIMEOUT=2s\n")
    must("systemctl", "daemon-reload")
    answer = get(cache.port)
    assert answer.status == 503 and "its program has made no socket" in answer.text
    cache.asleep(backend=ASLEEP_OR_FAILED)
    assert (os.stat(target).st_mode, os.stat(target).st_uid) == (before.st_mode, before.st_uid)
    victim.require_untouched()


@pytest.mark.parametrize(
    "options", [(), ("--run-as", "nobody")], ids=["a user of its own", "a user of the machine's"]
)
def test_links_in_a_program_s_data_are_not_followed_when_it_is_deleted(
    service: MakeService, program: str, victim: Victim, options: tuple[str, ...]
) -> None:
    web = service("native", "--exec", program, *options)
    assert get(web.port).status == 200
    web.asleep()
    state = os.path.realpath(web.data)
    os.symlink(victim.path, f"{state}/linked")
    os.lchown(f"{state}/linked", os.stat(state).st_uid, -1)
    assert get(web.port).status == 200
    web.asleep()
    run("sockwake", "rm", "svc1", "--purge").expect(0, "deleted the data")
    assert not os.path.exists(state)
    victim.require_untouched()


def test_no_check_of_a_user_s_is_run_by_root(
    service: MakeService,
    known_service: KnowService,
    program: str,
    check: CheckProgram,
    intruder: Intruder,
) -> None:
    intruder.must("printf '#!/bin/sh\\ntouch /run/intruder-was-root\\n' >check && chmod 755 check")
    known_service("svc1")
    new = ("sockwake-new", "svc1", "--kind", "native", "--exec", program)
    ran = run(*new, "--check", f"{intruder.home}/check")
    ran.expect(1, f"check {intruder.home}/check {BY_OTHERS}")
    web = service("native", "--exec", program, "--check", check("exit 0"), "--check-every", "1s")
    assert get(web.port).status == 200
    web.asleep()
    os.chown(check.path, intruder.home.stat().st_uid, -1)
    check.path.write_text("#!/bin/sh\ntouch /run/intruder-was-root\n")
    assert get(web.port).status == 200
    web.await_journal("can be written by others than root", f"--unit=pg-check@{web}.service")
    assert web.is_awake() and not os.path.exists("/run/intruder-was-root")
    figures.count("hostile attempts", 2)
    os.chown(check.path, 0, -1)
    check("exit 0")
    web.asleep()


def test_a_user_s_container_leads_no_client_to_another_socket_of_the_user(
    account: Account, own: Callable[..., Own]
) -> None:
    database = own("mine", "--version", "18", "--idle", "1min")
    assert database.answer("select 1") == "1"
    podman, link = (
        f"{account.runtime}/podman/podman.sock",
        account.runtime / "sockwake/mine/backend/.s.PGSQL.5432",
    )
    account.must(
        "podman", "exec", "sockwake-mine", "ln", "-sfn", podman, "/var/run/postgresql/.s.PGSQL.5432"
    )
    assert (
        account.must("curl", "--silent", "--unix-socket", str(link), "http://podman/_ping") == "OK"
    )
    with socket.create_connection(("127.0.0.1", database.port), 30) as client:
        client.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            assert client.recv(100) == b""
    account.must("systemctl", "--user", "stop", "pg-postgres@mine")
    database.asleep()
    assert database.answer("select 1") == "1"
