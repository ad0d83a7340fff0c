"""What gets at an instance: psql, dsn, env, logs and exec, in every runtime."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from account import Own
from database import Database
from instances import Make, MakeService
from moment import until
from program import must, run, start
from project import MakeProject
from soak import only_in_soak
from webshop import container


def shown(secret: str, program: subprocess.Popen[str]) -> list[str]:
    """The command lines of all processes in which a secret is to be read while a program runs."""
    found = set()
    while program.poll() is None:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                text = path.read_bytes().decode(errors="replace").replace("\0", " ")
            except OSError:
                continue
            if secret in text:
                found.add(text)
    return sorted(found)


def holds() -> list[dict[str, object]]:
    listed: list[dict[str, object]] = json.loads(must("sockwake", "keep", "--json"))
    return listed


def test_psql_and_passwd_say_that_the_port_is_closed(instance: Make) -> None:
    database = instance(enable=False)
    before = database.password
    for command in ("psql", "passwd"):
        run("sockwake", command, "pg1").expect(
            1,
            "sockwake: error: the port of instance 'pg1' is closed\n",
            f"(hint: systemctl enable --now {database.socket} opens it)",
        )
    assert database.password == before and not database.is_awake()
    database.open()
    run("sockwake", "psql", "pg1", "-XAtc", "select 1").expect(0, "1")


def test_a_database_is_reached_by_psql_dsn_and_env_and_the_last_two_wake_nothing(
    instance: Make,
) -> None:
    database = instance("--db-user", "a b@c", "--db-name", "x?y")
    database.asleep()
    dsn = must("sockwake", "dsn", "pg1", "--password").strip()
    script = must("sockwake", "env", "pg1")
    must("sockwake", "logs", "pg1", "--no-pager")
    assert not database.is_awake() and database.password not in script
    query = "select current_user, current_database()"
    for command in (("psql", dsn, "-XAtc", query), ("sockwake", "psql", "pg1", "-XAtc", query)):
        assert must(*command) == "a b@c|x?y\n"
    for more in ("", " --password"):
        shell = f'eval "$(sockwake env pg1{more})"; psql --no-password -XAtc "$0"'
        assert must("sh", "-c", shell, query) == "a b@c|x?y\n"
    run("sockwake", "psql", "pg1", "-c", "nonsense").expect(1, "syntax error")
    run("sockwake", "psql", "pg1", "-f", "-", stdin="select 6 * 7").expect(0, "42")
    database.asleep()
    sleeping = start("sockwake", "psql", "pg1", "-c", "select pg_sleep(2)")
    assert shown(database.password, sleeping) == [] and sleeping.returncode == 0


def test_the_log_has_all_units_in_their_order_and_ends_with_its_reader(instance: Make) -> None:
    instance().psql()
    instance(name="pg2").psql()
    must("journalctl", "--sync")
    lines = must("sockwake", "logs", "pg*", "--no-pager", "--since=-1h").splitlines()
    times = [line[:15] for line in lines if line[:3] == lines[0][:3]]  # as in Nov 28 12:00:00
    assert times == sorted(times)
    for text in ("Port of PostgreSQL 18 'pg1'", "Port of PostgreSQL 18 'pg2'", " pg1[", " pg2["):
        assert any(text in line for line in lines), text
    assert any("sockwake: woken by" in line for line in lines)
    assert len(must("sockwake", "logs", "pg1", "-n", "2", "--no-pager").splitlines()) == 2
    ran = run("bash", "-c", "sockwake logs pg1 --no-pager | head -1; echo ${PIPESTATUS[0]}")
    assert ran.err == "" and ran.out.splitlines()[-1] in ("0", "141"), ran
    following = start("sockwake", "logs", "pg1", "-f", "-n", "0")
    until("it follows", lambda: b"journalctl" in cmdline(following.pid))
    following.terminate()
    following.wait(20)
    run("sockwake", "logs", "nosuch").expect(5, "there is no instance 'nosuch'")


def cmdline(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def test_with_tls_the_server_is_verified(instance: Make) -> None:
    database = instance("--tls")
    query = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
    assert must("sockwake", "psql", "pg1", "-XAtc", query) == "t\n"
    assert must("psql", must("sockwake", "dsn", "pg1", "--password").strip(), "-XAtc", query)
    run("openssl", *"req -x509 -newkey ed25519 -noenc -subj /CN=other -keyout".split(), "/dev/null",
        "-out", str(database.etc / "server.crt.other")).expect(0)  # fmt: skip
    own = (database.etc / "server.crt").read_text()
    (database.etc / "server.crt").write_text((database.etc / "server.crt.other").read_text())
    try:
        run("sockwake", "psql", "pg1", "-XAtc", query).expect(2, "certificate verify failed")
    finally:
        (database.etc / "server.crt").write_text(own)
        (database.etc / "server.crt.other").unlink()


def is_like_docker_exec(name: str, *options: str) -> None:
    """A command in a container gets input and signals, gives its status, and holds the instance."""
    command = ("sockwake", "exec", *options, name, "--")
    run(*command, "sh", "-c", "cat; exit 7", stdin="hello").expect(7, "hello")
    assert run(*command, "no-such-program").status not in (0, 7)
    for number, status in ((signal.SIGTERM, 9), (signal.SIGUSR1, 3)):
        waits = 'trap "exit 9" TERM; trap "exit 3" USR1; echo begun; while :; do sleep 0.1; done'
        running = start(*command, "sh", "-c", waits)
        assert running.stdout and running.stdout.readline() == "begun\n"
        assert [(each["name"], each["pid"]) for each in holds()] == [(name, running.pid)]
        running.send_signal(number)
        assert running.wait(30) == status
    typed = "stty rows 33 cols 77; " + " ".join(command) + " sh -c 'sleep 0.5; stty size; tty'"
    terminal = run("script", "-qec", typed, "/dev/null", env={"TERM": "xterm"}, stdin="")
    assert "33 77" in terminal.out and "/dev/pts/" in terminal.out, terminal
    until("no hold is left", lambda: holds() == [])


@pytest.mark.parametrize("runtime", ["crun", *only_in_soak("engine")])
def test_a_command_in_a_database_is_like_docker_exec(instance: Make, runtime: str) -> None:
    database = instance("--runtime", runtime)
    is_like_docker_exec("pg1")
    database.asleep()
    running = start("sockwake", "exec", "pg1", "--", "sleep", "600")
    until("it is held", lambda: len(holds()) == 1 and database.is_awake())
    os.kill(running.pid, signal.SIGKILL)
    running.wait(20)
    database.asleep()


@pytest.mark.soak
def test_a_command_in_a_project_runs_in_its_service(project: MakeProject) -> None:
    shop = project("two-services")
    run("sockwake", "exec", shop.name, "--", "true").expect(2, "has several services", "web")
    run("sockwake", "exec", shop.name, "--service", "x", "--", "true").expect(5, "no service 'x'")
    is_like_docker_exec(shop.name, "--service", "web")


def test_a_command_needs_a_container(
    service: MakeService, nginx: str, program: str, instance: Make
) -> None:
    container(service, nginx)
    assert must("sockwake", "exec", "svc1", "--", "id", "-un") == "root\n"
    run("sockwake", "exec", "svc1", "--service", "x", "--", "true").expect(2, "no services")
    service("native", "--exec", program, name="svc2")
    run("sockwake", "exec", "svc2", "--", "id").expect(1, "a program of this host", "nsenter")
    run("sockwake", "psql", "svc1").expect(1, "is no PostgreSQL, but of kind 'container'")
    run("sockwake", "passwd", "svc1").expect(1, "is no PostgreSQL, but of kind 'container'")


@pytest.mark.parametrize("options", [("--tls",), *only_in_soak((), ("--runtime", "engine"))])
def test_without_a_psql_on_the_host_that_of_the_container_is_run(
    instance: Make, options: tuple[str, ...]
) -> None:
    database: Database = instance(*options)
    psql = Path("/usr/bin/psql")
    psql.rename("/usr/bin/psql.away")
    try:
        running = start("sockwake", "psql", "pg1", "-XAtc", "select pg_sleep(1), 42")
        assert shown(database.password, running) == [] and running.returncode == 0
        assert running.stdout and running.stdout.read() == "|42\n"
        run("sockwake", "psql", "pg1", "-c", "nonsense").expect(1, "syntax error")
        rotating = start("sockwake", "passwd", "pg1")
        assert shown(database.password, rotating) == [] and rotating.returncode == 0
        assert must("sockwake", "psql", "pg1", "-XAt", stdin="select 43") == "43\n"
    finally:
        Path("/usr/bin/psql.away").rename(psql)
    assert database.psql("select 44") == "44"


def test_a_user_reaches_own_instances(user_database: Own) -> None:
    account, name = user_database.account, user_database.name
    for words, said in (
        (("psql", "--user", name, "-XAtc", "select 41"), "41"),
        (("passwd", "--user", name), "has a new password"),
        (("exec", "--user", name, "--", "echo", "42"), "42"),
        (("psql", "--user", name, "-XAtc", "select 43"), "43"),
        (("dsn", "--user", name), "postgresql://postgres@127.0.0.1:"),
    ):
        account.run("sockwake", *words).expect(0, said)
    ran = account.run_with_the_journal("sockwake", "logs", "--user", name, "--no-pager")
    ran.expect(0, "woken by")
    shell = f'eval "$(sockwake env --user {name})"; psql --no-password -XAtc "select 44"'
    assert account.must("sh", "-c", shell) == "44\n"
