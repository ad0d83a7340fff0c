"""Holds: what is known of each is in the text of its unit."""

import os
import time
from pathlib import Path

import pytest

from env_file import env
from sockwake.config.instance import Instance, Name
from sockwake.errors import IN_USE, SockwakeError
from sockwake.lifecycle import holds, wakes
from sockwake.lifecycle import hours as of_an_instance
from sockwake.lifecycle.hold import HOURS, Hold, uptime
from sockwake.service import check, hours
from sockwake.system import systemctl
from sockwake.system.process import ProgramError
from tree import Tree

SHOP = Instance(Name("shop"))


@pytest.fixture
def units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of systemd's passing units."""
    monkeypatch.setattr(holds, "_directory", lambda: str(tmp_path))
    return tmp_path


def hold(
    number: int = 1,
    name: str = "shop",
    *,
    who: str = "anna",
    since: float = 1000.0,
    end: str = "",
    pid: int = 0,
    tty: str = "",
    reason: str = "",
) -> Hold:
    return Hold(name, number, who, since=since, end=end, pid=pid, tty=tty, reason=reason)


def write(units: Path, one: Hold) -> None:
    """Its unit, as systemd-run has systemd write it."""
    text = f'[Service]\nEnvironment="SOCKWAKE_HOLD={one.note()}" "LC_ALL=C"\n'
    (units / one.unit).write_text(text)


@pytest.mark.parametrize(
    "one",
    [
        hold(),
        hold(7, end="@2000", tty="pts/3", reason='100% "%n" \\ für Ö'),
        hold(12, pid=os.getpid(), who="KEEP="),
    ],
    ids=["plain", "all", "process"],
)
def test_what_is_noted_is_read_again(units: Path, one: Hold) -> None:
    write(units, one)
    (found,) = holds.holds(SHOP)
    assert found.facts() == one.facts() and found.unit == one.unit and holds.is_held(SHOP)


def test_an_end_without_the_clock_is_told_by_the_clock() -> None:
    end = hold(end=holds.after(100)).until
    assert end and 99 < end - time.time() < 102 and float(holds.after(100)) >= uptime() + 99


def test_those_of_one_instance_are_no_other_s(units: Path) -> None:
    for one in (hold(2), hold(1), hold(1, "shop-2")):
        write(units, one)
    assert [each.id for each in holds.holds(SHOP)] == [1, 2]
    assert [each.id for each in holds.holds(Instance(Name("shop-2")))] == [1]
    assert not holds.is_held(Instance(Name("sho")))


def test_other_units_and_broken_notes_are_no_holds(units: Path) -> None:
    for name, text in {
        "pg-keep@shop:1.service": "[Service]\n",
        "pg-keep@shop:2.service": "Environment=SOCKWAKE_HOLD=abc\n",
        "pg-keep@shop:x.service": f"Environment=SOCKWAKE_HOLD={hold().note()}\n",
        "pg-check@shop.timer": "",
    }.items():
        (units / name).write_text(text)
    assert holds.holds(SHOP) == []


def test_one_whose_process_has_ended_is_over(units: Path) -> None:
    write(units, hold(pid=2**22 + 1))  # above every process id
    assert holds.holds(SHOP) == []


def test_a_tree_has_none(units: Path, tree: Tree) -> None:
    write(units, hold())
    assert holds.holds(Instance(Name("shop"), str(tree))) == []


def test_without_such_a_directory_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holds, "_directory", lambda: "/nonexistent")
    assert holds.every() == {} and not holds.is_held(SHOP)


def test_it_says_who_since_when_until_when_and_why() -> None:
    today = time.mktime((*time.localtime()[:3], 9, 5, 0, 0, 0, -1))
    one = hold(since=today, end=f"@{today + 3600:.0f}", tty="pts/0", reason="backup")
    assert one.sentence() == "anna (pts/0) since 09:05 until 10:05: backup"
    assert hold(since=today + 7, pid=711).sentence() == "anna (process 711) since 09:05:07"
    assert " since 1970-01-01 " in hold(since=86400 / 2).sentence()


def test_who_must_know_is_told_but_not_of_the_instance_s_own_hours(units: Path) -> None:
    write(units, hold(who=HOURS))
    holds.require_none(SHOP, "")
    write(units, hold(2, reason="backup"))
    with pytest.raises(
        SockwakeError, match="'shop' is kept awake by anna since .*: backup"
    ) as told:
        holds.require_none(SHOP, "release it")
    assert (told.value.status, told.value.hint) == (IN_USE, "release it")


@pytest.mark.parametrize("reason", ["x" * 201, "two\nlines"])
def test_a_reason_is_one_line(units: Path, reason: str) -> None:
    with pytest.raises(SockwakeError, match="200 characters at most, on one line"):
        holds.take(SHOP, reason)


def test_numbers_are_given_again_and_one_that_is_taken_meanwhile_is_left(
    units: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(units, hold(1))
    write(units, hold(3))

    def start(_: Instance, one: Hold) -> None:
        if one.id == 2:  # another process is quicker
            write(units, one)
            raise ProgramError(["systemd-run"], 1, "already loaded")
        write(units, one)

    monkeypatch.setattr(holds, "_start", start)
    assert holds.take(SHOP, end=holds.at(1234.2)).until == 1235.0
    assert [each.id for each in holds.holds(SHOP)] == [1, 2, 3, 4]


def test_a_hold_that_systemd_refuses_is_an_error(
    units: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(*_: object) -> None:
        raise ProgramError(["systemd-run"], 1, "no bus")

    monkeypatch.setattr(holds, "_start", start)
    with pytest.raises(SockwakeError, match="systemd-run"):
        holds.take(SHOP)


class Calls:
    """What the look at an instance's hours does with holds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, end: float | None) -> None:
        self.taken: list[str] = []
        self.released: list[int] = []
        self.started: list[str] = []
        monkeypatch.setattr(of_an_instance, "until", lambda *_: end)
        monkeypatch.setattr(systemctl, "start_later", self.started.append)
        monkeypatch.setattr(systemctl, "is_to_restart", lambda _: False)
        monkeypatch.setattr(holds, "take", lambda _, *, end, who: self.taken.append(end))
        monkeypatch.setattr(
            holds, "release", lambda *ended: self.released.extend(e.id for e in ended)
        )


@pytest.mark.parametrize(
    ("until", "end", "taken", "released"),
    [
        (None, 5000.0, ["@5000"], []),
        (5000.0, 5000.0, [], []),
        (4000.0, 5000.0, ["@5000"], [1]),
        (5000.0, None, [], [1]),
        (None, None, [], []),
    ],
)
def test_a_look_leaves_one_hold_until_the_end_of_the_hours(
    units: Path,
    tree: Tree,
    monkeypatch: pytest.MonkeyPatch,
    until: float | None,
    end: float | None,
    taken: list[str],
    released: list[int],
) -> None:
    shop = tree.write_env("shop", env(KEEP="08:00-18:00"))
    shop.root = ""  # of an instance in a tree there is no hold
    calls = Calls(monkeypatch, end)
    write(units, hold(9, reason="a user's"))
    if until is not None:
        write(units, hold(1, who=HOURS, end=holds.at(until)))
    hours.look(shop)
    assert (calls.taken, calls.released) == (taken, released)
    # asleep in its hours, whether the hold is new or not: it is held by a user, too
    assert calls.started == ([] if end is None else ["pg-held@shop.service"])


@pytest.mark.parametrize(
    ("state", "is_started"),
    [("auto-restart", False), ("auto-restart-queued", False), ("dead", True), ("start", True)],
)
def test_what_waits_for_its_next_try_is_left_to_that(
    units: Path, monkeypatch: pytest.MonkeyPatch, state: str, is_started: bool
) -> None:
    started: list[str] = []
    monkeypatch.setattr(systemctl, "start_later", started.append)
    monkeypatch.setattr(systemctl, "run", lambda *_, **__: f"{state}\n")
    write(units, hold(1))
    holds.start_again(SHOP)
    assert started == (["pg-held@shop.service"] if is_started else [])


def test_an_idle_check_lets_a_held_instance_be(
    units: Path, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = tree.write_env("shop", env(PORT="1"))
    shop.root = ""
    asked: list[str] = []
    monkeypatch.setattr("sockwake.system.systemctl.is_down", lambda unit: False)
    monkeypatch.setattr(check, "find_proxy", lambda instance: (0, -1))

    def may_sleep(*_: object) -> bool:
        asked.append("asked")
        return False

    monkeypatch.setattr(check.Check, "may_sleep", may_sleep)
    write(units, hold())
    check.run(shop)
    assert asked == []
    (units / hold().unit).unlink()
    check.run(shop)
    assert asked == ["asked"]


def test_it_ends_by_the_uptime_that_its_keeper_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container of LXC that is another than the kernel's, which is its host's."""
    monkeypatch.setattr(time, "clock_gettime", lambda _: 1e9)
    now = float(Path("/proc/uptime").read_text().split()[0])
    for told in (uptime(), wakes.now(), float(holds.after(0))):
        assert now - 1 < told < now + 60
