"""sockwake metrics: what is counted, the text that Prometheus reads, and who may ask for it."""

import json
import os
import re
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorded import LINES, found

from sockwake.admin.measure import counters, events, exporter, log, metrics
from sockwake.admin.measure.counters import Counters
from sockwake.admin.measure.events import FAILURE, SLEEP, WAKE, Event
from sockwake.admin.measure.metrics import Seen
from sockwake.errors import SockwakeError

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf'({_NAME})\{{((?:{_NAME}="[^"\\\n]*",?)*)\}} ([0-9.e+-]+|\+Inf|NaN)')
SEEN = [Seen("pg1", "asleep", 0), Seen("pg2", "awake", 3), Seen("lost", "broken", None)]


def counted() -> dict[str, Counters]:
    known: dict[str, Counters] = {}
    counters.add(known, found())
    return known


def families(text: str) -> dict[str, tuple[str, dict[str, float]]]:
    """(type, samples) of each metric; asserts what promtool does, as far as it matters here."""
    read: dict[str, tuple[str, dict[str, float]]] = {}
    base = ""
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            base = line.split()[2]
            assert base not in read and len(line.split()) > 3
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name == base and (kind == "counter") == name.endswith("_total")
            read[name] = (kind, {})
        else:
            sample = SAMPLE.fullmatch(line)
            assert sample and re.sub("_(bucket|sum|count)$", "", sample[1]) == base, line
            key = f"{sample[1]}{{{sample[2]}}}"
            assert key not in read[base][1]
            read[base][1][key] = float(sample[3])
    return read


def test_the_text_is_sound_and_counts_what_was_recorded() -> None:
    read = families(metrics.written(SEEN, counted(), {}))
    wakes = read["sockwake_wakes_total"][1]
    assert wakes['sockwake_wakes_total{name="pg1",result="success"}'] == 3
    assert wakes['sockwake_wakes_total{name="pg1",result="failure"}'] == 1
    assert wakes['sockwake_wakes_total{name="pg2",result="failure"}'] == 0
    assert read["sockwake_unasked_ends_total"][1]['sockwake_unasked_ends_total{name="pg2"}'] == 1
    assert read["sockwake_clients"][1] == {
        'sockwake_clients{name="pg1"}': 0,
        'sockwake_clients{name="pg2"}': 3,
    }
    states = read["sockwake_instance_state"][1]
    for one in SEEN:
        assert sum(value for key, value in states.items() if f'name="{one.name}"' in key) == 1
    assert any("memory_at_last_sleep" in key and 'type="own"' in key for key in _keys(read))


def _keys(read: dict[str, tuple[str, dict[str, float]]]) -> list[str]:
    return [key for _, samples in read.values() for key in samples]


def test_the_buckets_of_the_histogram_add_up() -> None:
    samples = families(metrics.written(SEEN, counted(), {}))["sockwake_wake_duration_seconds"][1]
    buckets = [value for key, value in samples.items() if "_bucket{" in key and '"pg1"' in key]
    assert buckets == sorted(buckets) and buckets[-1] == 3
    assert samples['sockwake_wake_duration_seconds_count{name="pg1"}'] == 3
    assert 0.5 < samples['sockwake_wake_duration_seconds_sum{name="pg1"}'] < 3


def test_the_seconds_awake_grow_and_never_shrink() -> None:
    own = Counters()
    own.add(Event(100, "a", WAKE, took=1.0))
    seen = [own.seconds_awake(present) for present in (6, 11, 9)]
    own.add(Event(110.5, "a", SLEEP, awake=11.5))
    seen += [own.seconds_awake(present) for present in (12, 0)]
    assert seen == [6, 11, 11, 11.5, 11.5], "what was awake before the journal was read has ended"


def test_a_failure_while_awake_is_no_failed_wake() -> None:
    own = Counters()
    own.add(Event(90, "a", FAILURE))
    own.add(Event(100, "a", WAKE, took=1.0))
    own.add(Event(110, "a", FAILURE))
    assert (own.failures, own.crashes) == (1, 1)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the sums are kept; the journal is the recorded one, of which each asks for the rest."""

    def after(cursor: str) -> tuple[list[Event], str]:
        rest = LINES[int(cursor or 0) :][:7]
        return [*events.parse(rest)], f"{int(cursor or 0) + len(rest)}"

    monkeypatch.setattr(counters, "directory", lambda: str(tmp_path / "kept"))
    monkeypatch.setattr(log, "after", after)
    return tmp_path / "kept/counters.json"


def test_each_reading_takes_only_what_is_new(kept: Path) -> None:
    for _ in range(len(LINES) // 7 + 2):
        with counters.counted() as known:
            pass
    assert known == counted()
    assert json.loads(kept.read_text())["cursor"] == f"{len(LINES)}"


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"cursor": 1}', '{"instances": {"a": {}}}'])
def test_a_file_that_is_not_whole_is_begun_anew(kept: Path, damage: str) -> None:
    with counters.counted():
        pass
    kept.write_text(damage)
    with counters.counted() as known:
        assert sum(each.wakes for each in known.values()) > 0
    assert json.loads(kept.read_text())["cursor"] == "7"


def test_a_file_of_another_version_is_begun_anew() -> None:
    text = json.dumps({"cursor": "c", "instances": {"a": {"wakes": 3, "buckets": [1, 2]}}})
    assert counters.restored(text) == ("", {})


@given(st.text())
def test_no_text_of_the_file_is_an_error(text: str) -> None:
    counters.restored(text)


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "x.prom"
    metrics.write(str(path), "a 1\n")
    assert path.read_text() == "a 1\n" and path.stat().st_mode & 0o777 == 0o644
    with pytest.raises(SockwakeError, match="there is no directory"):
        metrics.write(str(tmp_path / "none/x.prom"), "")
    assert os.listdir(tmp_path) == ["x.prom"]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "text", lambda: "sockwake_clients 1\n")


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET /metrics HTTP/1.1", 200),
        (b"GET /metrics?x=1 HTTP/1.0", 200),
        (b"HEAD /metrics HTTP/1.1", 200),
        (b"GET / HTTP/1.1", 404),
        (b"GET /metrics/../../etc/passwd HTTP/1.1", 404),
        (b"POST /metrics HTTP/1.1", 405),
        (b"GET /metrics", 400),
        (b"\xff\xfe", 400),
        (b"", 400),
    ],
)
def test_only_metrics_are_told(request_line: bytes, status: int) -> None:
    answer = exporter.answer(request_line + b"\r\nHost: a\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    is_told = status == 200 and not request_line.startswith(b"HEAD")
    assert (b"sockwake_clients" in body) == is_told
    assert b"Content-Length: 19" in head or status != 200


def test_a_client_that_says_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporter, "_PATIENCE", 0.05)
    here, there = socket.socketpair()
    with here, there:
        assert exporter.read_head(here.fileno()) == b""
        there.sendall(b"x" * 20_000)
        assert 0 < len(exporter.read_head(here.fileno())) < 20_000


def test_what_goes_wrong_is_an_answer_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> str:
        raise SockwakeError("no journal")

    monkeypatch.setattr(metrics, "text", fail)
    answer = exporter.answer(b"GET /metrics HTTP/1.1\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 500 ") and answer.endswith(b"no journal\n")
