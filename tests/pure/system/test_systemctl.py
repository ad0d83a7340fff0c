"""Of several units each is acted on, though systemd may do all of them or none."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sockwake.system import process, systemctl

# as of systemd 262: nothing is done with a unit that is not there, or cannot be read
SYSTEMCTL = """#!/bin/sh
verb='' refused=''
for word; do
    case $word in
    show | start | stop | clean) verb=$word ;;
    -*) ;;
    *)
        case $verb:$word in
        show:gone*) printf 'Id=%s\\nLoadState=not-found\\n\\n' "$word" ;;
        show:*) printf 'Id=%s\\nLoadState=loaded\\n\\n' "$word" ;;
        *:gone* | *:bad*) refused=$word ;;
        esac
        ;;
    esac
done
if [ "$verb" = show ]; then exit; fi
if [ -n "$refused" ]; then echo "Unit $refused not loaded." >&2; exit 5; fi
echo "$*" >>"${0%/*}/done"
"""
UNITS = ("a.socket", "gone.timer", "bad.service", "b.timer")


@pytest.fixture
def done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], set[str]]:
    """The units that were acted on."""
    program = tmp_path / "systemctl"
    program.write_text(SYSTEMCTL)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return lambda: {word for word in (tmp_path / "done").read_text().split() if "." in word}


def test_what_is_there_is_stopped(done: Callable[[], set[str]]) -> None:
    systemctl.stop(*UNITS)
    assert done() == {"a.socket", "b.timer"}
    systemctl.stop("gone.timer", "gone.service")
    systemctl.stop("gone.timer")


def test_what_can_be_is_started(done: Callable[[], set[str]]) -> None:
    systemctl.start_later(*UNITS)
    assert done() == {"a.socket", "b.timer"}


def test_what_is_there_and_has_noted_a_time_forgets_it(
    done: Callable[[], set[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systemctl, "_STAMPS", f"{tmp_path}/stamp-")
    for timer in ("a.timer", "gone.timer", "b.timer"):
        (tmp_path / f"stamp-{timer}").touch()
    systemctl.forget_times("a.timer", "gone.timer", "b.timer", "never.timer")
    assert done() == {"a.timer", "b.timer"}


def test_another_error_of_a_stop_is_one(done: Callable[[], set[str]], tmp_path: Path) -> None:
    program = tmp_path / "systemctl"
    program.write_text(SYSTEMCTL.replace("exit 5", "exit 1"))
    with pytest.raises(process.ProgramError):
        systemctl.stop(*UNITS)


LOST = """#!/bin/sh
echo once >>"${0%/*}/asked"
if [ "$(wc -l <"${0%/*}/asked")" -lt 3 ]; then
    echo "Warning! D-Bus connection terminated." >&2
    echo "Failed to wait for response: Connection reset by peer" >&2
    exit 1
fi
echo active
exit "$1"
"""


@pytest.mark.parametrize("check", [True, False])
def test_systemd_is_asked_again_when_it_was_executed_anew(
    done: Callable[[], set[str]], tmp_path: Path, check: bool
) -> None:
    (tmp_path / "systemctl").write_text(LOST)
    assert systemctl.run("0", check=check) == "active\n"
    assert len((tmp_path / "asked").read_text().splitlines()) == 3


def test_what_a_failed_question_has_answered_is_its_answer(
    done: Callable[[], set[str]], tmp_path: Path
) -> None:
    (tmp_path / "systemctl").write_text(LOST)
    assert systemctl.run("3", check=False) == "active\n"
    with pytest.raises(process.ProgramError):
        systemctl.run("3")


def test_a_systemd_that_is_gone_is_not_asked_for_ever(
    done: Callable[[], set[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systemctl, "_REEXECUTED", 0.3)
    (tmp_path / "systemctl").write_text("#!/bin/sh\necho Connection refused >&2\nexit 1\n")
    with pytest.raises(process.ProgramError, match="Connection refused"):
        systemctl.run("show")
    assert systemctl.active_state("a.service") == ""
