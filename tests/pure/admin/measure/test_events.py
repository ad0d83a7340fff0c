"""The journal as events: a recorded one, what earlier versions wrote, and what is none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorded import BEGAN, ENTRIES, LINES, found, old

from sockwake.admin.measure import events
from sockwake.admin.measure.events import FAILURE, REFUSAL, SLEEP, STOPPING, STRANGERS, WAKE


def test_a_recorded_journal_has_every_kind_of_event() -> None:
    kinds = [event.kind for event in found()]
    assert {*kinds} == {WAKE, SLEEP, FAILURE, REFUSAL, STRANGERS, STOPPING}
    assert {event.name for event in found()} == {"pg1", "pg2", "pg3"}
    wake = next(event for event in found("pg2") if event.kind == WAKE)
    assert wake.client.startswith("127.0.0.1:") and wake.took == 1.927
    assert list(wake.phases) == ["python", "preparation", "engine", "postgres"]
    sleep = next(event for event in found("pg1") if event.kind == SLEEP)
    assert (sleep.awake, sleep.memory, sleep.cache) == (7.3, 23653376, None)
    failure = next(event for event in found("pg1") if event.kind == FAILURE)
    refusal = next(event for event in found("pg1") if event.kind == REFUSAL)
    assert failure.why == refusal.why != ""
    assert refusal.count == 1


def test_a_stop_of_a_backend_is_no_reason_but_that_of_its_proxy_is() -> None:
    stops = [entry["UNIT"] for entry in ENTRIES if entry.get("MESSAGE_ID") == events.STOPPING_ID]
    assert len([event for event in found() if event.kind == STOPPING]) == len(
        [unit for unit in stops if unit.startswith("pg-proxy@")]
    )
    assert any(unit.startswith("pg-postgres@") for unit in stops)


@pytest.mark.parametrize(
    ("unit", "message", "expected"),
    [
        (
            "pg-postgres@a.service",
            "sockwake: woken by [::1]:9 in 420 ms (python 22, engine 300)",
            (WAKE, "[::1]:9", 0.42, 1, ""),
        ),
        ("pg-postgres@a.service", "sockwake: woken by a b in 42 ms", (WAKE, "a b", 0.042, 1, "")),
        ("pg-postgres@a.service", "sockwake: asleep", (SLEEP, "", None, 1, "")),
        (
            "pg-wanted@a.service",
            "sockwake: turned away 10.0.0.7:11, which sent nothing",
            (STRANGERS, "10.0.0.7:11", None, 1, ""),
        ),
        (
            "pg-postgres@a.service",
            "sockwake: turned away 40 connections that sent nothing, the last from 10.0.0.7:11",
            (STRANGERS, "10.0.0.7:11", None, 40, ""),
        ),
        (
            "pg-postgres@a.service",
            "sockwake: a connection from 10.0.0.7:11 sent nothing",
            (STRANGERS, "10.0.0.7:11", None, 1, ""),
        ),
        (
            "pg-postgres@a.service",
            "sockwake: 37 connections in the last minute sent nothing, the last from 10.0.0.7:11",
            (STRANGERS, "10.0.0.7:11", None, 37, ""),
        ),
        (
            "pg-postgres@a.service",
            "sockwake: error: image x is not here\n(hint: docker pull x)",
            (FAILURE, "", None, 1, "image x is not here"),
        ),
        (
            "pg-proxy@a.service",
            'refused 3 clients: sockwake: instance "a" cannot start: no (journalctl -u b)',
            (REFUSAL, "", None, 3, "no"),
        ),
    ],
)
def test_what_versions_without_fields_wrote_is_understood(
    unit: str, message: str, expected: tuple[object, ...]
) -> None:
    (event,) = events.parse([old(unit, message)])
    assert (event.kind, event.client, event.took, event.count, event.why) == expected
    assert event.name == "a" and event.at == pytest.approx(BEGAN)


@pytest.mark.parametrize(
    "line",
    [
        LINES[0][:-20],
        "[]",
        "-- cursor: s=1",
        old("pg-postgres@a.service", "LOG: sockwake: asleep"),
        old("other.service", "sockwake: asleep"),
    ],
)
def test_half_a_line_and_what_others_say_is_no_event(line: str) -> None:
    assert [*events.parse([line])] == []


@pytest.mark.parametrize("kind", ["wake", "stopping"])
def test_what_another_user_has_written_is_no_event(kind: str) -> None:
    entry = next(
        each
        for each in ENTRIES
        if each.get("SOCKWAKE_EVENT") == kind
        or (kind == "stopping" and str(each.get("UNIT", "")).startswith("pg-proxy@"))
    )
    forged = json.dumps(entry | {"_UID": "1000"})
    assert [*events.parse([forged])] == []
    assert len([*events.parse([forged], uid=1000)]) == 1


def test_what_a_unit_of_a_user_s_systemd_has_written_is_of_that_user_alone() -> None:
    """It may be called as a unit of the system's: there an instance has the same name, or none."""
    refusal = 'refused 9 clients: sockwake: instance "a" cannot start: no (journalctl -u b)'
    entry = json.loads(old("user@1000.service", refusal))
    line = json.dumps(entry | {"_SYSTEMD_USER_UNIT": "pg-proxy@a.service", "_UID": "1000"})
    assert [*events.parse([line])] == [*events.parse([line], uid=1001)] == []
    (event,) = events.parse([line], uid=1000)
    assert (event.name, event.kind, event.count) == ("a", REFUSAL, 9)
    assert [*events.parse([old("pg-proxy@a.service", refusal)], uid=1000)] == []


@given(
    st.dictionaries(
        st.sampled_from([*events.FIELDS, "__REALTIME_TIMESTAMP"]),
        st.one_of(st.text(), st.none(), st.lists(st.integers()), st.lists(st.text())),
    )
)
def test_no_entry_whatever_it_has_is_an_error(entry: dict[str, object]) -> None:
    """A field that is not printable is a list of bytes, a long one null."""
    forced = {"SOCKWAKE_EVENT": "sleep", "_UID": "0", "__REALTIME_TIMESTAMP": "1"}
    for line in (json.dumps(entry), json.dumps(entry | forced)):
        list(events.parse([line]))
