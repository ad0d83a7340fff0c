"""sockwake status: who is connected, what PostgreSQL says, the last wake, and several at once."""

import json
import os
import pwd
import re
import shutil
import socket
from pathlib import Path

import pytest

from env_file import env
from sockwake.admin.show import status_text
from sockwake.clients import visitors
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings
from sockwake.errors import SockwakeError
from sockwake.lifecycle import runtime, wakes
from sockwake.postgres import sessions
from tree import Tree


def of(listen: str, port: int) -> list[visitors.Visitor]:
    text = env(LISTEN=listen, PORT=str(port))
    return visitors.each(Settings(text, Instance(Name("pg1"))))


def me() -> tuple[int, str]:
    return os.getpid(), pwd.getpwuid(os.getuid()).pw_name


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_client_of_this_host_is_told_with_its_process_and_user(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as server:
        port = server.getsockname()[1]
        assert of(host, port) == []
        with socket.create_connection((host, port)) as client:
            [one] = of("::,0.0.0.0" if ":" in host else host, port)
            where = f"[{host}]" if ":" in host else host
            assert one.address == f"{where}:{client.getsockname()[1]}"
            assert (one.pid, one.user) == me() and one.program
            assert one.silent is None or one.silent < 30
            assert of("127.0.0.9", port) == []


@pytest.mark.skipif(not shutil.which("ss"), reason="ss is not installed")
def test_a_client_on_a_unix_socket_is_told_with_its_process(tmp_path: Path) -> None:
    path = str(tmp_path / ".s.PGSQL.25432")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        assert of(path, 25432) == []
        client.connect(path)
        accepted, _ = server.accept()
        with accepted:
            [one] = of(path, 25432)
            assert one.address == path and (one.pid, one.user) == me()


def test_the_facts_of_a_connection_are_told_in_words() -> None:
    shown = status_text._client(visitors.Visitor("10.0.0.7:5", 7300.0).facts())
    assert shown == "10.0.0.7:5, silent for 2h"
    own = visitors.Visitor("/run/s", None, 711, "psql", "root").facts()
    assert status_text._client(own) == "/run/s (psql, process 711 of root)"


def test_a_forgotten_transaction_is_told_with_its_user() -> None:
    session: dict[str, object] = {
        "user": "shop",
        "database": "web",
        "application": "cron",
        "state": "idle in transaction",
        "state_seconds": 7200,
        "transaction_seconds": 7300,
        "waits_for": "Client",
        "query": "update x\n set y = 1" + 100 * "!",
    }
    shown = status_text._session(session)
    assert shown.startswith(
        "shop in web by cron: idle in transaction for 2h, its transaction is open for 2h: "
        "update x set y = 1!!"
    )
    assert shown.endswith("!…")
    idle = session | {"state": "idle", "transaction_seconds": None, "application": "", "query": ""}
    assert status_text._session(idle) == "shop in web: idle for 2h"


def test_a_server_that_cannot_be_asked_is_an_error_in_words(tree: Tree) -> None:
    instance = tree.write_env("pg1", env())
    settings = Settings(env(), instance)
    with pytest.raises(SockwakeError, match="PostgreSQL cannot be asked: there is no "):
        sessions.ask(instance, settings)
    runtime.prepare(instance)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{instance.backend}/{settings.socket_name}")  # and nobody listens
        with pytest.raises(SockwakeError, match="PostgreSQL could not be asked"):
            sessions.ask(instance, settings)


def test_the_last_wake_is_told_with_its_client_and_its_phases(tree: Tree) -> None:
    instance = tree.write_env("pg1", env())
    runtime.prepare(instance)
    assert wakes.duration(instance) == (None, {})
    Path(instance.wake_file).write_text("0.250\n")  # of version 0.2
    assert wakes.duration(instance) == (0.25, {})
    phases = wakes.phases([("preparation", 0.0312), ("postgres", 0.1)])
    Path(instance.wake_file).write_text(f"0.131\n{phases}\n")
    wakes.note(instance, "10.0.0.7:5", 0.1312)
    facts = json.loads(tree.sockwake("status", "pg1", "--json").stdout)
    assert facts["last_wake_phases"] == {"preparation": 0.031, "postgres": 0.1}
    assert (facts["last_wake_seconds"], facts["last_woken_by"]) == (0.131, "10.0.0.7:5")
    shown = re.escape("0.131 s (preparation 0.031 s, postgres 0.1 s), by 10.0.0.7:5, ")
    assert re.search(rf"{shown}\ds ago", tree.sockwake("status", "pg1").stdout)


def test_several_are_an_array_and_a_broken_one_hides_no_other(tree: Tree) -> None:
    for number, name in enumerate(("a", "b")):
        tree.write_env(name, env(PORT=str(26000 + number)))
    assert json.loads(tree.sockwake("status", "a", "--json").stdout)["name"] == "a"
    for words in (("a", "b"), ("?",)):
        rows = json.loads(tree.sockwake("status", *words, "-j").stdout)
        assert [row["name"] for row in rows] == ["a", "b"]
    assert tree.sockwake("status", "b", "a").stdout.count(" is off, with 0 clients.\n") == 2
    tree.write_env("x", "PORT=x")
    ran = tree.sockwake("status", "*", "--json")
    assert (ran.status, [row["name"] for row in json.loads(ran.stdout)]) == (1, ["a", "b"])
    assert "sockwake: x: " in ran.stderr and "key 'KIND' is missing\n" in ran.stderr
    hint = f"(hint: sockwake ls --root {tree})\n"
    assert f"sockwake: error: not all of them could be read\n{hint}" in ran.stderr
