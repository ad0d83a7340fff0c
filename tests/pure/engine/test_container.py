"""A container in the engine's API: requests, and what is read from the answers."""

import json
import os
import socket
import time
from pathlib import Path

import pytest

from daemon import Daemon, frame
from env_file import env
from sockwake.engine.api import Engine, EngineError
from sockwake.engine.container import Container
from sockwake.errors import SockwakeError
from tree import Tree

LIST = "GET /containers/json"
INSPECT = "GET /containers/sockwake-pg1/json"
START = "POST /containers/sockwake-pg1/start"
STOP = "POST /containers/sockwake-pg1/stop"
ATTACH = "POST /containers/sockwake-pg1/attach"
WAIT = "POST /containers/sockwake-pg1/wait"


@pytest.fixture
def container(daemon: Daemon) -> Container:
    return Container("sockwake-pg1", Engine(str(daemon.server_address)))


def state(daemon: Daemon, **values: object) -> None:
    daemon.answers[INSPECT] = (
        200,
        json.dumps({"Id": "x", "State": values, "Config": {"Env": ['A="Pid":9,']}}).encode(),
    )


@pytest.mark.parametrize(
    ("answer", "is_current", "is_running"),
    [
        (b"[]", False, False),
        (b"[]\n", False, False),
        (b'[{"Id":"x","State":"exited"}]', True, False),
        (b'[{"Id":"x","State":"running"}]', True, True),
    ],
)
def test_a_container_of_this_name_and_fingerprint_is_current(
    daemon: Daemon, container: Container, answer: bytes, is_current: bool, is_running: bool
) -> None:
    daemon.answers[LIST] = 200, answer
    found = container.search("12-0badcafe").result()
    assert (found.is_current, found.is_running) == (is_current, is_running)
    query = daemon.queries[LIST]
    assert query["all"] == ["1"]
    assert json.loads(query["filters"][0]) == {
        "name": ["^/?sockwake-pg1$"],
        "label": ["io.sockwake.config=12-0badcafe"],
    }


def test_its_output_is_passed_on_from_its_first_byte_to_its_end(
    daemon: Daemon, container: Container
) -> None:
    daemon.answers |= {
        ATTACH: (200, frame(b"first\n") + frame(b"second\nlast") + frame(b" line\n")),
        START: (204, b""),
    }
    container.start(10)
    said: list[bytes] = []
    while container.relay(said.append):
        pass
    assert b"".join(said) == b"first\nsecond\nlast line\n" and container.fd == -1
    assert daemon.queries[ATTACH] == {"stream": ["1"], "stdout": ["1"], "stderr": ["1"]}


def test_a_start_that_is_refused_leaves_no_stream_open(
    daemon: Daemon, container: Container
) -> None:
    daemon.answers |= {ATTACH: (200, b""), START: (500, b'{"message":"no space left on device"}')}
    with pytest.raises(EngineError, match="no space left on device"):
        container.start(10)
    assert container.fd == -1 and not container.relay(print)


def test_a_stream_handed_over_in_the_middle_of_a_frame_is_waited_for(daemon: Daemon) -> None:
    ours, theirs = socket.socketpair()
    half = frame(b"a whole line\n")
    before = Container("sockwake-pg1", Engine("/nonexistent"), ours.detach())
    theirs.sendall(half[:10])
    said: list[bytes] = []
    assert before.relay(said.append) and said == []
    theirs.sendall(half[10:])
    after = Container("sockwake-pg1", Engine("/nonexistent"), os.dup(before.hand_over(said.append)))
    assert said == [b"a whole line\n"] and os.get_inheritable(before.fd)
    theirs.sendall(frame(b"next\n"))
    assert after.relay(said.append) and said[1:] == [b"next\n"]
    theirs.close()
    assert not after.relay(said.append)
    before.close()


@pytest.mark.parametrize("length", [1, 7, 8, 10])
def test_a_container_that_ends_in_the_middle_of_a_frame_is_not_handed_over(
    daemon: Daemon, length: int
) -> None:
    """With an error that tells its status, and not a bad file descriptor."""
    ours, theirs = socket.socketpair()
    container = Container("sockwake-pg1", Engine(str(daemon.server_address)), ours.detach())
    theirs.sendall(frame(b"ready\n") + frame(b"a whole line\n")[:length])
    state(daemon, ExitCode=3)
    daemon.answers[WAIT] = 200, b"{}"
    assert container.relay(lambda text: None)
    theirs.close()
    with pytest.raises(SockwakeError, match="its container ended with status 3: ready"):
        container.hand_over(lambda text: None)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"ExitCode": 1}, "its container ended with status 1: FATAL: bad setting"),
        (
            {"ExitCode": 137, "OOMKilled": True},
            "its container was killed for lack of memory: FATAL: bad setting",
        ),
        (
            {"ExitCode": 127, "Error": "exec: no such file"},
            "its container ended with status 127: exec: no such file",
        ),
    ],
)
def test_how_it_ended_is_one_sentence(
    daemon: Daemon, container: Container, values: dict[str, object], sentence: str
) -> None:
    daemon.answers |= {ATTACH: (200, frame(b"starting\nFATAL: bad setting\n")), START: (204, b"")}
    state(daemon, **values)
    daemon.answers[WAIT] = (200, b'{"StatusCode":1}')
    container.start(10)
    while container.relay(lambda text: None):
        pass
    how = container.how_it_ended()
    assert how.whole == sentence and how.message == sentence.partition(":")[0], (
        "what it said is for the administrator"
    )


@pytest.mark.parametrize("answer", [(404, b"{}"), (200, b""), (200, b"{}"), (200, b"nonsense")])
def test_a_missing_container_is_reported_as_gone(
    daemon: Daemon, container: Container, answer: tuple[int, bytes]
) -> None:
    daemon.answers[INSPECT] = answer
    daemon.answers[WAIT] = (200, b"{}")
    assert container.how_it_ended().whole == "its container is gone"


@pytest.mark.parametrize("pid", [0, 1, 4194304])
def test_its_process_is_the_one_in_its_state(
    daemon: Daemon, container: Container, pid: int
) -> None:
    state(daemon, Status="running", Pid=pid, ExitCode=0)
    assert container.pid() == pid


@pytest.mark.parametrize(("seconds", "query"), [(None, {}), (30, {"t": ["30"]})])
def test_a_stop_waits_for_the_engine_and_leaves_the_time_to_the_container(
    daemon: Daemon, container: Container, seconds: int | None, query: dict[str, list[str]]
) -> None:
    daemon.answers[STOP] = 204, b""
    container.stop(seconds)
    assert daemon.queries[STOP] == query


@pytest.mark.parametrize("status", [304, 404])
def test_stopping_a_stopped_container_is_no_error(
    daemon: Daemon, container: Container, status: int
) -> None:
    daemon.answers[STOP] = status, b""
    container.stop()


def test_a_stop_that_fails_is_an_error_unless_it_was_given_up_anyway(
    daemon: Daemon, container: Container
) -> None:
    daemon.answers[STOP] = 500, b'{"message":"cannot stop"}'
    with pytest.raises(EngineError, match="cannot stop"):
        container.stop()
    container.give_up(print)


def test_what_a_container_wrote_to_its_end_is_passed_on_when_it_is_given_up(daemon: Daemon) -> None:
    ours, theirs = socket.socketpair()
    container = Container("sockwake-pg1", Engine(str(daemon.server_address)), ours.detach())
    daemon.answers[STOP] = 304, b""
    theirs.sendall(frame(b"ready\n") + frame(b"database system is shut down\n"))
    theirs.close()
    said: list[bytes] = []
    container.give_up(said.append)
    assert b"".join(said) == b"ready\ndatabase system is shut down\n" and container.fd == -1


def test_every_edit_changes_the_fingerprint_and_a_copy_does_not(tree: Tree) -> None:
    one, other = tree.write_env("a", env()), tree.write_env("b", env())
    for instance in (one, other):
        Path(instance.compose_file).write_text("services: {}\n")
    first = one.fingerprint()
    assert other.fingerprint() == first
    Path(one.compose_file).write_text("services: {} \n")
    second = one.fingerprint()
    Path(one.env_file).write_text(env(PORT="25433"))
    assert len({first, second, one.fingerprint()}) == 3


def test_without_its_files_an_instance_has_no_fingerprint(tree: Tree) -> None:
    instance = tree.write_env("a", env())
    with pytest.raises(
        SockwakeError, match=f"cannot read {instance.compose_file}: no such file or directory"
    ):
        instance.fingerprint()


@pytest.mark.parametrize(
    ("config", "seconds"),
    [
        ({"StopTimeout": 20}, 20),
        ({"A": 1, "StopTimeout": 20, "Z": 2}, 20),
        ({}, 300),
        ({"Labels": {"StopTimeout": "7"}}, 300),
    ],
)
def test_a_stop_is_waited_for_as_long_as_the_definition_allows(
    daemon: Daemon, container: Container, config: dict[str, object], seconds: int
) -> None:
    daemon.answers |= {
        INSPECT: (200, json.dumps({"Config": config}, separators=(",", ":")).encode()),
        STOP: (204, b""),
    }
    answer = container.begin_stop()
    assert answer.gettimeout() == seconds + 30
    answer.close()


@pytest.mark.parametrize("insist", ["", "SIGINT"])
def test_an_engine_that_never_answers_a_stop_is_not_waited_for_without_end(
    daemon: Daemon, container: Container, insist: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sockwake.engine.container._MARGIN", 0.3)
    daemon.mute.add(STOP)
    began = time.monotonic()
    with pytest.raises(EngineError, match="the container engine does not answer: timed out"):
        container.stop(0, insist)
    assert time.monotonic() - began < 10
