"""The engine's answers cut at every byte, and garbage: read correctly, or an error."""

import json
import socket
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sockwake.config.instance import Instance, Name
from sockwake.engine import belongings
from sockwake.engine.api import Engine, EngineError
from sockwake.engine.container import Container

INSPECTED = json.dumps(
    {
        "Id": "x",
        "State": {"Status": "exited", "Pid": 4194, "ExitCode": 7, "Error": ""},
        "Name": "/pg1",
    },
    separators=(",", ":"),
).encode()
LISTED = b'[{"Id":"x","Names":["/sockwake-pg1"]}]\n'
OURS = {"Labels": {"io.sockwake.instance": "pg1"}}
VOLUMES = json.dumps(
    {"Volumes": [{"Name": "one", **OURS}, {"Name": "two", **OURS}], "Warnings": None}
).encode()
CONTAINERS = json.dumps(
    [
        {"Id": "c1", "Names": ["/sockwake-pg1"], **OURS},
        {"Id": "c2", "Names": ["/sockwake-pg1"], "Labels": {}},
    ]
).encode()
PG1 = Instance(Name("pg1"))
HEADS = {
    "with its length": b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n",
    "until the end": b"HTTP/1.0 200 OK\r\nServer: %d\r\n\r\n",
}
GONE = "its container is gone"


class Cut(Engine):
    """An engine that has one answer for everything, on a real socket."""

    def __init__(self, answer: bytes) -> None:
        super().__init__("/nonexistent")
        self.answer = answer
        self.asked: list[str] = []

    def begin(
        self, method: str, target: str, timeout: float = 0, body: bytes = b""
    ) -> socket.socket:
        self.asked.append(f"{method} {target.partition('?')[0]}")
        ours, theirs = socket.socketpair()
        ours.settimeout(5)
        theirs.sendall(self.answer)
        theirs.close()
        return ours


def is_current(engine: Engine) -> object:
    return Container("sockwake-pg1", engine).search("12-0badcafe").result().is_current


def pid(engine: Engine) -> object:
    return Container("sockwake-pg1", engine).pid()


def how_it_ended(engine: Engine) -> object:
    return Container("sockwake-pg1", engine).how_it_ended().whole


def volumes(engine: Engine) -> object:
    return [each["Name"] for each in belongings._of(engine, PG1, "/volumes")]


def remove_container(engine: Engine) -> object:
    belongings.remove_container(engine, PG1, "sockwake-pg1")
    assert isinstance(engine, Cut)
    return [each for each in engine.asked if each.startswith("DELETE")]


def start(engine: Engine) -> object:
    container = Container("sockwake-pg1", engine)
    container.start(5)
    container.close()
    return "started"


QUESTIONS: list[tuple[Callable[[Engine], object], bytes, object]] = [
    (is_current, LISTED, True),
    (is_current, b"[]", False),
    (pid, INSPECTED, 4194),
    (volumes, VOLUMES, ["one", "two"]),
    (remove_container, CONTAINERS, ["DELETE /containers/c1"]),
    (how_it_ended, INSPECTED, "its container ended with status 7"),
    (start, b"", "started"),
]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize(
    ("question", "body", "truth"), QUESTIONS, ids=lambda value: getattr(value, "__name__", "")
)
def test_half_an_answer_is_never_taken_for_another_one(
    question: Callable[[Engine], object], body: bytes, truth: object, head: str
) -> None:
    whole = HEADS[head] % len(body) + body
    assert question(Cut(whole)) == truth
    for length in range(len(whole)):
        try:
            said = question(Cut(whole[:length]))
        except EngineError as error:
            assert error.message
        else:
            assert said in (truth, GONE)


BODIES = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([INSPECTED, LISTED, VOLUMES, CONTAINERS]),
    st.recursive(
        st.one_of(st.none(), st.integers(), st.text(max_size=5)),
        lambda each: st.one_of(
            st.lists(each, max_size=3),
            st.dictionaries(
                st.sampled_from(
                    [
                        "State",
                        "Pid",
                        "ExitCode",
                        "Error",
                        "Volumes",
                        "Name",
                        "Names",
                        "Labels",
                        "Mounts",
                        "Id",
                        "message",
                    ]
                ),
                each,
                max_size=3,
            ),
        ),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode()),
)
STATUS_LINES = st.one_of(
    st.sampled_from(
        [
            b"HTTP/1.0 200 OK",
            b"HTTP/1.1 404 No",
            b"HTTP/1.0 500",
            b"HTTP/1.1 101 UPGRADED",
            b"HTTP/1.0 " + b"2" * 5000,
        ]
    ),
    st.binary(max_size=20),
)
HEADERS = st.lists(
    st.sampled_from(
        [
            b"Content-Length: 3",
            b"Content-Length: " + b"9" * 5000,
            b"content-length: -1",
            b"Content-Length: x",
            b":",
            b"\xff",
            b"",
        ]
    ),
    max_size=3,
)


@given(st.sampled_from([question for question, *_ in QUESTIONS]), STATUS_LINES, HEADERS, BODIES)
@example(pid, b"HTTP/1.0 200 OK", [], b'{"State":{"Pid":41')
@example(pid, b"HTTP/1.0 200 OK", [], b'"Pid":' + b"9" * 5000 + b",")
@example(how_it_ended, b"HTTP/1.0 200 OK", [], b'{"State": [1]}')
@example(volumes, b"HTTP/1.0 200 OK", [], b"nonsense")
@example(is_current, b"HTTP/1.0 " + b"2" * 5000, [], b"")
@example(start, b"HTTP/1.0 500", [], b"[" * 9000)
def test_garbage_is_no_more_than_an_error(
    question: Callable[[Engine], object], status: bytes, headers: list[bytes], body: bytes
) -> None:
    try:
        question(Cut(b"\r\n".join([status, *headers, b"", body])))
    except EngineError as error:
        assert error.message and error.message.isprintable()
