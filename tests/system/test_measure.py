"""What has happened is in history, report and metrics; none of them wakes an instance."""

from __future__ import annotations

import json
import shutil
import socket
import threading
from pathlib import Path
from urllib.request import urlopen

import pytest

from instances import Make, MakeSleeper
from moment import until
from program import must, run
from service import Service
from soak import only_in_soak
from stranger import ask, knock

EXPORTER = "sockwake-exporter.socket"
URL = "http://127.0.0.1:9788/metrics"


def history(*words: str) -> list[dict[str, object]]:
    return list(json.loads(must("sockwake", "history", "--json", *words)))


def value(text: str, sample: str) -> float:
    """The value of one sample."""
    (line,) = (line for line in text.splitlines() if line.startswith(f"{sample} "))
    return float(line.rpartition(" ")[2])


def require_sound(metrics: str) -> None:
    """Have promtool read it, where that is installed; a parser of ours does in the first ring."""
    if shutil.which("promtool"):
        ran = run("promtool", "check", "metrics", stdin=metrics)
        assert (ran.status, ran.out, ran.err) == (0, "", ""), ran


@pytest.mark.fault
@pytest.mark.kills
def test_wakes_sleeps_strangers_failures_and_refusals_are_told(instance: Make) -> None:
    database = instance(name="told")  # the journal has others of earlier tests
    assert database.psql() == "1"
    database.asleep()
    knock(database)
    until("the stranger is told", lambda: len(history(database.name)) == 2)
    proof = next(database.data.rglob("PG_VERSION"))
    aside = proof.rename(proof.with_name("PG_VERSION.aside"))
    database.fatal()
    aside.rename(proof)
    until("the refusal is told", lambda: len(history(database.name)) == 4)
    assert database.psql() == "1"
    must("systemctl", "stop", database.proxy)
    database.asleep()

    first, stranger, failure, refusal, last = history(database.name)
    assert [row["event"] for row in (first, stranger, failure, refusal, last)] == [
        *("wake", "strangers", "failure", "refusal", "wake")
    ]
    assert str(first["client"]).startswith("127.0.0.1:") and first["why"] == "idle"
    assert last["why"] == "stopped"
    for wake in (first, last):
        assert isinstance(wake["memory_bytes"], int) and wake["memory_bytes"] > 2_000_000
        assert isinstance(wake["awake_seconds"], float) and wake["awake_seconds"] > 0
    assert "there is no database cluster" in str(failure["why"])
    assert (refusal["count"], refusal["why"]) == (1, failure["why"])
    assert len(history("--lines", "2", database.name)) == 2
    assert_told_alike(database)


def assert_told_alike(database: Service) -> None:
    """Report and metrics have what the history has."""
    page = Path("/root/report.html")
    page.unlink(missing_ok=True)
    said = must("sockwake", "report", "--json", "--html", str(page), database.name)
    (one,) = json.loads(said)["instances"]
    assert (one["wakes"], one["failures"], one["refused_clients"], one["strangers"]) == (2, 1, 1, 1)
    assert 0 < one["asleep_share"] < 1 and one["memory_gib_hours"] > 0
    assert page.read_text().count("<svg") == 2
    metrics = must("sockwake", "metrics", database.name)
    require_sound(metrics)
    label = f'name="{database.name}"'
    assert value(metrics, f'sockwake_wakes_total{{{label},result="success"}}') == 2
    assert value(metrics, f'sockwake_wakes_total{{{label},result="failure"}}') == 1
    assert value(metrics, f"sockwake_refused_clients_total{{{label}}}") == 1
    assert value(metrics, f"sockwake_strangers_total{{{label}}}") == 1
    assert value(metrics, f"sockwake_wake_duration_seconds_count{{{label}}}") == 2
    assert value(metrics, f'sockwake_instance_state{{{label},state="asleep"}}') == 1
    assert not database.is_awake()


@pytest.mark.parametrize("kind", ["postgres", "native", *only_in_soak("container", "command")])
def test_a_server_of_any_kind_is_measured_as_it_falls_asleep(
    sleeper: MakeSleeper, kind: str
) -> None:
    server = sleeper(kind)
    before = len(history(server.name))
    ask(server)
    server.asleep()
    until("its sleep is told", lambda: history(server.name)[-1]["slept_at"])
    (*_, last) = listed = history(server.name)
    assert len(listed) == before + 1
    assert (last["event"], last["why"]) == ("wake", "idle")
    assert isinstance(last["memory_bytes"], int) and last["memory_bytes"] > 100_000


def test_who_asks_for_metrics_wakes_nothing_and_leaves_nothing_running(instance: Make) -> None:
    database = instance(name="unasked")
    directory = Path("/var/lib/prometheus/node-exporter")
    must("systemctl", "start", EXPORTER)
    try:
        for _ in range(2):
            with urlopen(URL, timeout=30) as answer:
                assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
                text = answer.read().decode()
        require_sound(text)
        assert value(text, f'sockwake_instance_state{{name="{database}",state="asleep"}}') == 1
        with socket.create_connection(("127.0.0.1", 9788), timeout=30) as sock:
            sock.sendall(b"GET /etc/shadow HTTP/1.1\r\n\r\n")
            assert sock.recv(4096).startswith(b"HTTP/1.1 404 ")
        until(
            "no answer runs any more",
            lambda: "exporter@" not in must("systemctl", "list-units", "--plain", "--no-legend"),
        )
        directory.mkdir(parents=True, exist_ok=True)
        must("systemctl", "start", "sockwake-metrics.service")
        require_sound((directory / "sockwake.prom").read_text())
        assert [path.name for path in directory.iterdir()] == ["sockwake.prom"]
    finally:
        must("systemctl", "stop", EXPORTER)
        shutil.rmtree(directory.parent, ignore_errors=True)
    database.asleep()
    assert history(database.name) == []


def test_a_service_that_always_runs_is_watched_and_left_alone(redis: str) -> None:
    unit = "always.service"
    must("systemd-run", "--unit", unit, redis, "--port", "7777", "--bind", "127.0.0.1")
    try:
        until("it listens", lambda: run("redis-cli", "-p", "7777", "ping").out == "PONG\n")
        invocation = must("systemctl", "show", "-P", "InvocationID", unit)
        client = threading.Timer(6, run, ("redis-cli", "-p", "7777", "ping"))
        client.start()
        words = ("would-sleep", "--for", "12s", "--idle", "2s", "--json", "7777", unit)
        for seen in json.loads(must("sockwake", *words)):
            assert seen["ports"] == [7777] and seen["connections"] == 1, seen
            assert (seen["sleeps"], seen["connections_waited"]) == (2, 1), seen
            assert 3 < seen["asleep_seconds"] < 10 and seen["memory_bytes"] > 1_000_000, seen
        assert must("systemctl", "show", "-P", "InvocationID", unit) == invocation
    finally:
        must("systemctl", "stop", unit)
