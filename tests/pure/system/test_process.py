"""Running other programs."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sockwake.errors import SockwakeError
from sockwake.system import process
from tree import SOURCE, run


def test_what_a_program_prints_comes_back() -> None:
    assert process.run(["printf", "a\\nb"]) == "a\nb"


def test_its_locale_is_fixed_and_its_input_empty() -> None:
    assert process.run(["sh", "-c", 'printf "%s" "$LC_ALL"; cat']) == "C.UTF-8"


def test_its_environment_is_ours_and_what_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "1")
    assert process.run(["sh", "-c", 'echo "$OURS $ADDED"'], env={"ADDED": "2"}) == "1 2\n"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo first >&2; echo last >&2; exit 3", ": last"),
        ("echo out; exit 3", ": out"),
        ("exit 3", ""),
        ("echo '  ' >&2; exit 3", ""),
    ],
)
def test_a_failure_names_the_command_and_its_last_words(script: str, said: str) -> None:
    with pytest.raises(process.ProgramError) as caught:
        process.run(["sh", "-c", script])
    assert caught.value.message == f"'sh -c {script}' failed with status 3"
    assert caught.value.whole == f"{caught.value.message}{said}"


@pytest.mark.parametrize("call", [process.run, process.spawn])
def test_a_program_that_is_killed_is_told_as_that_and_not_by_its_last_words(
    call: Callable[[list[str]], object],
) -> None:
    """As by the kernel for lack of memory."""
    with pytest.raises(process.ProgramError) as caught:
        call(["sh", "-c", "echo unpacking ...; kill -KILL $$"])
    said = "'sh -c echo unpacking ...; kill -KILL $$' failed: it was killed by signal 9"
    assert (caught.value.returned, caught.value.whole) == (-9, said)


def test_a_failure_without_check_is_no_error() -> None:
    assert process.run(["sh", "-c", "echo so far; exit 3"], check=False) == "so far\n"


@pytest.mark.parametrize("call", [process.run, process.spawn])
def test_a_missing_program_is_named(call: Callable[[list[str]], object]) -> None:
    with pytest.raises(SockwakeError, match="cannot run /nonexistent/x: no such file or directory"):
        call(["/nonexistent/x"])


def test_what_a_spawned_program_writes_is_in_its_error_alone(
    capfd: pytest.CaptureFixture[str],
) -> None:
    script = ["sh", "-c", "echo one; echo two >&2; exit $0"]
    with pytest.raises(process.ProgramError) as caught:
        process.spawn([*script, "3"], quietly=True)
    assert (caught.value.returned, caught.value.output) == (3, "one\ntwo\n")
    assert caught.value.said == "two"
    process.spawn([*script, "0"], quietly=True)
    assert capfd.readouterr() == ("", "")


def test_a_spawned_program_counts_by_its_status(tmp_path: Path) -> None:
    process.spawn(["touch", str(tmp_path / "made")])
    assert (tmp_path / "made").exists()
    with pytest.raises(process.ProgramError, match="'false' failed with status 1"):
        process.spawn(["false"])


def test_what_is_shown_goes_to_stderr_and_never_into_our_output() -> None:
    imports = (
        f"import sys; sys.path.insert(0, {str(SOURCE)!r}); from sockwake.system import process"
    )
    program = f"{imports}; print([process.run(['echo', 'x'], show=True)])"
    ran = run(sys.executable, "-ISB", "-c", program)
    assert (ran.stdout, ran.stderr) == ("['']\n", "x\n")


HANGS = ["sh", "-c", "trap '' TERM; sleep 60 & echo $! $$ >&3; wait; sleep 60"]


@pytest.mark.parametrize("call", [process.run, process.spawn])
def test_a_program_that_does_not_end_is_ended_with_all_it_has_begun(
    call: Callable[..., object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its child holds the output open, too."""
    monkeypatch.setattr(process, "_GRACE", 0.2)
    said = tmp_path / "pids"
    began = time.monotonic()
    with pytest.raises(process.Overdue, match=r"'sh -c .*' did not end within 0\.5 s$"):
        call(["sh", "-c", f"exec 3>{said}; {HANGS[2]}"], timeout=0.5)
    assert time.monotonic() - began < 10
    pids = said.read_text().split()
    while any(map(is_running, pids)) and time.monotonic() - began < 10:
        time.sleep(
            0.01
        )  # the second is killed with the first, and may take a moment longer to be gone
    assert len(pids) == 2 and [pid for pid in pids if is_running(pid)] == []


@pytest.mark.parametrize("call", [process.run, process.spawn])
def test_a_program_that_ends_on_sigterm_is_not_killed(
    call: Callable[..., object], tmp_path: Path
) -> None:
    script = f"trap 'echo asked >{tmp_path}/said; exit' TERM; sleep 60 & wait"
    with pytest.raises(process.Overdue):
        call(["sh", "-c", script], timeout=0.5)
    assert (tmp_path / "said").read_text() == "asked\n"


def test_an_interruption_ends_what_was_begun(tmp_path: Path) -> None:
    """Ctrl-C does not reach the program, which is in a process group of its own."""
    program = (
        f"import sys; sys.path.insert(0, {str(SOURCE)!r}); from sockwake.system import process\n"
        f"process.run(['sh', '-c', 'echo $$ >{tmp_path}/pid; sleep 60'])"
    )
    with subprocess.Popen(
        [sys.executable, "-ISB", "-c", program], stderr=subprocess.DEVNULL
    ) as ours:
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            time.sleep(0.01)
        time.sleep(0.5)  # it has begun, but subprocess may not have returned
        ours.send_signal(signal.SIGINT)
        ours.wait(20)
    assert not is_running((tmp_path / "pid").read_text().strip())


def test_a_program_without_a_timeout_stays_in_the_foreground() -> None:
    script = "import os; print(os.getpgrp())"
    assert int(process.run([sys.executable, "-c", script], timeout=None)) == os.getpgrp()
    assert int(process.run([sys.executable, "-c", script])) != os.getpgrp()


def test_a_program_that_the_user_interrupts_may_take_any_time() -> None:
    assert process.run(["sh", "-c", "sleep 0.1; echo done"], timeout=None) == "done\n"


def test_work_without_a_limit_ends_at_a_signal_that_is_put_off(tmp_path: Path) -> None:
    """As a download in a wake that is stopped; what has a limit may clean up behind it."""
    program = (
        f"import os, signal, sys; sys.path.insert(0, {str(SOURCE)!r})\n"
        "from sockwake.errors import SockwakeError\n"
        "from sockwake.system import process, sdnotify\n"
        "sdnotify.put_off_ending()\nos.kill(os.getpid(), signal.SIGINT)\n"
        "print(process.run(['sh', '-c', 'sleep 0.5; echo cleaned up']), end='')\n"
        f"try: process.run(['sh', '-c', 'echo $$ >{tmp_path}/pid; exec sleep 60'], timeout=None)\n"
        "except SockwakeError as error: print(error.message)"
    )
    ours = run(sys.executable, "-ISB", "-c", program)
    assert "cleaned up\nit was stopped while 'sh -c " in ours.stdout, ours
    assert not is_running((tmp_path / "pid").read_text().strip())


def is_running(pid: str) -> bool:
    """Whether a process runs, and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.parametrize(("script", "status"), [("exit 7", 7), ("kill -TERM $$", 128 + 15)])
def test_a_program_that_is_attended_gives_its_status(script: str, status: int) -> None:
    argv = ["sh", "-c", script]
    assert process.attend(argv, os.environ, [signal.SIGTERM], lambda _: None) == status


def test_a_program_that_is_attended_gets_the_signals_passed_on() -> None:
    got: list[int] = []
    before = signal.getsignal(signal.SIGUSR1)
    argv = ["sh", "-c", "kill -USR1 $PPID; sleep 0.2"]
    assert process.attend(argv, os.environ, [signal.SIGUSR1], got.append) == 0
    assert got == [signal.SIGUSR1] and signal.getsignal(signal.SIGUSR1) == before
    with pytest.raises(SockwakeError, match="cannot run nosuch"):
        process.attend(["nosuch"], os.environ, [], got.append)


def test_sockets_are_for_the_process_that_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """LISTEN_PIDFDID is of the process that systemd has started, and of no other."""
    monkeypatch.setenv("LISTEN_PID", "1")
    monkeypatch.setenv("LISTEN_PIDFDID", "1")
    fits = '[ "$LISTEN_PID" = $$ ] && [ -z "${LISTEN_PIDFDID+set}" ]'
    assert os.waitpid(process.begin_with_sockets(["sh", "-c", fits]), 0)[1] == 0


def test_a_program_reads_what_it_is_given_on_stdin() -> None:
    assert process.run(["cat"], stdin="a\nb") == "a\nb"
    assert process.run(["cat"]) == ""
