"""`sockwake forward`: a port stays open, and leads its clients elsewhere; its own data sleep on."""

from __future__ import annotations

import json
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from account import Own
from check_program import CheckProgram
from database import Database
from instances import Make, MakeService
from moment import until
from program import Ran, must, run, start
from service import Service
from soak import SOAK, only_in_soak
from web import get
from webshop import container

FAILED, USAGE, IN_USE = 1, 2, 4


@pytest.fixture
def pair(instance: Make) -> tuple[Database, Database]:
    """An instance that goes, and what it goes to: another with the same password and TLS."""
    old = instance("--tls")
    password = str(old.etc / "password")
    new = instance("--tls", "--password-file", password, "--port", "25500", name="pg2")
    for each in (old, new):
        each.psql(f"create table whose as select '{each.name}' as name")
        each.put_to_sleep()
    return old, new


def forward(*words: str) -> Ran:
    return run("sockwake", "forward", *words)


def target(database: Database) -> str:
    return f"127.0.0.1:{database.port}"


def whose(database: Database, *options: str) -> str:
    """Whose table a client sees at the address of an instance."""
    return database.psql("select name from whose", *options)


class Crowd:
    """Clients that come one after the other, in threads, until end(); answers: what each saw."""

    def __init__(self, database: Database, threads: int = 3) -> None:
        self._has_to_end = threading.Event()
        self._database = database
        self.answers: list[str] = []
        self.failed: list[str] = []
        self._threads = [threading.Thread(target=self._come, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def _come(self) -> None:
        while not self._has_to_end.is_set():
            ran = self._database.try_psql("select name from whose")
            if ran.status:
                self.failed.append(ran.err)
            else:
                self.answers.append(ran.out.strip())
            time.sleep(random.uniform(0, 0.2))

    def await_answer(self, name: str) -> None:
        until(f"a client is served by {name}", lambda: name in self.answers[-3:])

    def end(self) -> None:
        self._has_to_end.set()
        for thread in self._threads:
            thread.join()


def between_clients(*words: str) -> None:
    """Forward in a moment without a client."""
    for _ in range(200):
        ran = forward(*words)
        if ran.status != IN_USE:
            break
        time.sleep(random.uniform(0.01, 0.05))
    ran.expect(0)


def test_clients_that_come_meanwhile_wait_and_none_is_lost_there_and_back(
    pair: tuple[Database, Database],
) -> None:
    old, new = pair
    control = f"{old.cluster}/global/pg_control"
    crowd = Crowd(old)
    crowd.await_answer("pg1")
    between_clients("pg1", target(new))
    crowd.await_answer("pg2")
    before = must("sha256sum", control)
    certificate = new.etc / "server.crt"  # the client verifies that of where it is led
    verified = f"host=127.0.0.1 sslmode=verify-ca sslrootcert={certificate}"
    assert run("psql", f"{verified} port={old.port}", "-c", "", env=old.environment).status == 0
    assert old.ls(settled=False)["state"] == "forwarded" and not old.is_awake()
    for words in (("wake", "pg1"), ("keep", "pg1"), ("runtime", "pg1", "engine")):
        run("sockwake", *words).expect(FAILED, "'pg1' is forwarded", "forward pg1 --back")
    must("systemctl", "start", old.backend)  # as an administrator may
    assert not old.is_awake() and must("sha256sum", control) == before
    between_clients("--back", "pg1")
    crowd.await_answer("pg1")
    crowd.end()
    assert crowd.failed == [] and set(crowd.answers) == {"pg1", "pg2"}
    assert not (old.etc / "forward").exists()


@pytest.mark.soak
def test_its_hours_end_and_begin_again_when_it_is_led_back(instance: Make) -> None:
    database = instance()

    def holds() -> str:
        return must("sockwake", "keep", "--no-header")

    must("sockwake", "set", "pg1", "KEEP=00:00-24:00")
    until("it is awake", lambda: database.ls()["state"] == "awake")
    with socket.create_server(("127.0.0.1", 25500)):
        forward("pg1", "127.0.0.1:25500").expect(0)
    assert holds() == "" and not database.is_awake()
    forward("--back", "pg1").expect(0)
    until("it is awake", lambda: "KEEP=" in holds() and database.ls()["state"] == "awake")
    assert database.state("pg-hours@pg1.service") == "inactive"
    until("that is seen", lambda: database.state("pg-held@pg1.service") == "inactive")
    must("sockwake", "sleep", "--force", "pg1")


def test_what_is_wrong_is_told_and_nothing_is_changed(pair: tuple[Database, Database]) -> None:
    old, new = pair
    forward("pg1", "127.0.0.1:9").expect(FAILED, "127.0.0.1:9 takes no connections")
    told = "none of the servers leads, as http:8008/primary tells it"
    forward("pg1", "127.0.0.1:9", "127.0.0.2:9").expect(FAILED, told)
    forward("pg1", f"localhost:{old.port}").expect(USAGE, "is the port of the instance itself")
    client = old.at_work()
    forward("pg1", target(new)).expect(IN_USE, "1 connected client", "--force")
    assert client.query("select 1") and not (old.etc / "forward").exists()
    client.close()
    must("sockwake", "keep", "pg1", "--reason", "a dump")
    forward("pg1", target(new)).expect(IN_USE, "is kept awake", "a dump")
    must("sockwake", "release", "pg1")
    held = old.at_work()
    forward("--force", "pg1", target(new)).expect(0)
    held.close()
    assert whose(old) == "pg2"
    led = old.at_work()
    for words in (("rename", "pg1", "pg9"), ("rm", "pg1"), ("rm", "pg1", "--purge")):
        run("sockwake", *words).expect(IN_USE, "1 connected client", "sends them away")
    assert led.query("select 1")
    led.close()
    rows = json.loads(must("sockwake", "forward", "--json"))
    shown = [{"target": target(new), "shows": "leads"}]
    assert rows == [{"name": "pg1", "check": "tcp", "targets": shown}]
    must("systemctl", "stop", new.socket, new.proxy, new.backend)
    run("sockwake", "doctor", "pg1").expect(1, f"forwarded to {target(new)}, where none leads")
    must("systemctl", "start", new.socket)
    forward("--force", "--back", "pg1").expect(0)
    assert whose(old) == "pg1"


@pytest.mark.parametrize("words", [("forward", "pg1"), *only_in_soak(("forward", "--back", "pg1"))])
def test_killed_at_any_moment_it_is_one_or_the_other_and_is_finished_by_the_next(
    pair: tuple[Database, Database], words: tuple[str, ...]
) -> None:
    old, new = pair
    is_back = "--back" in words
    argv = ("sockwake", *words, *([] if is_back else [target(new)]))
    for moment in [n / 20 for n in range(40)] if SOAK else [0.25, 0.5]:
        if is_back:
            forward("--force", "pg1", target(new)).expect(0)
        process = start(*argv)
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.wait()
        if (old.etc / "forward").exists() and not old.is_awake():
            run("systemctl", "start", old.backend)
            assert not old.is_awake(), "no write gets into data that were left"
        run(*argv[:2], "--force", *argv[2:]).expect(0)
        assert whose(old) == ("pg1" if is_back else "pg2")
        if not is_back:
            forward("--force", "--back", "pg1").expect(0)
            assert whose(old) == "pg1"


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """A web server that is no instance; its HOST:PORT."""
    folder = Path("/run/elsewhere-of-the-tests")
    folder.mkdir()
    (folder / "index.html").write_text("elsewhere")
    serve = "python3 -m http.server --bind 127.0.0.1 25600 --directory"
    process = start(*serve.split(), str(folder))
    until("it listens", lambda: run("curl", "-sf", "http://127.0.0.1:25600/").status == 0)
    yield "127.0.0.1:25600"
    process.kill()
    process.wait()
    (folder / "index.html").unlink()
    folder.rmdir()


def of_kind(service: MakeService, kind: str, nginx: str, program: str) -> Service:
    if kind == "native":
        return service("native", "--exec", program)
    if kind == "command":
        serve = "/usr/bin/python3 -m http.server --bind 127.0.0.1 --directory /usr/share {port}"
        return service("command", "--exec", serve, "--ready", "http:/")
    return container(service, nginx, "--runtime", kind)


@pytest.mark.parametrize("kind", ["crun", "native", "command", *only_in_soak("engine")])
def test_every_kind_of_one_port_is_forwarded_and_comes_back(
    service: MakeService, nginx: str, program: str, elsewhere: str, kind: str
) -> None:
    own = of_kind(service, kind, nginx, program)
    before = get(own.port)
    assert before.status == 200 and before.text != "elsewhere"
    forward(own.name, elsewhere).expect(0)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: get(own.port).text, range(16)))
    assert answers == ["elsewhere"] * 16 and not own.is_awake()
    must("systemctl", "daemon-reload")
    assert get(own.port).text == "elsewhere"
    until("none is connected", lambda: forward("--back", own.name).status == 0)
    assert get(own.port).text != "elsewhere" and own.is_awake()


def test_a_check_that_began_before_it_ends_no_client_there(
    service: MakeService, program: str, elsewhere: str, check: CheckProgram
) -> None:
    """It had found nobody at the program, and does not stop what leads clients elsewhere now."""
    options = ("--exec", program, "--check", check("sleep 4"), "--check-every", "1s")
    own = service("native", *options)
    get(own.port)
    until("a check goes on", lambda: own.state(own.look) == "activating")
    forward(own.name, elsewhere).expect(0)
    assert get(own.port).text == "elsewhere"
    leading = own.main_pid(own.proxy)
    until("the check has ended", lambda: own.state(own.look) == "inactive")
    assert own.main_pid(own.proxy) == leading
    until("none is connected", lambda: forward("--back", own.name).status == 0)


@pytest.mark.soak
def test_a_user_s_own_is_forwarded_and_comes_back(user_web: Own, elsewhere: str) -> None:
    account = user_web.account
    assert "Welcome to nginx" in get(user_web.port).text
    user_web.asleep()
    account.must("sockwake", "forward", "--user", "web", elsewhere)
    assert get(user_web.port).text == "elsewhere"
    ran = account.run("sockwake", "wake", "--user", "web")
    ran.expect(FAILED, "sockwake forward --user web --back")
    account.must("sockwake", "forward", "--user", "--back", "--force", "web")
    assert "Welcome to nginx" in get(user_web.port).text
