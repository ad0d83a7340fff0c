"""The one door to other programs."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tree import SOURCE, run

from sockwake import programs
from sockwake.errors import SockwakeError


def test_what_a_program_prints_comes_back() -> None:
    assert programs.run(["printf", "a\\nb"]) == "a\nb"


def test_its_locale_is_fixed_and_its_input_empty() -> None:
    assert programs.run(["sh", "-c", 'printf "%s" "$LC_ALL"; cat']) == "C.UTF-8"


def test_its_environment_is_ours_and_what_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "1")
    assert programs.run(["sh", "-c", 'echo "$OURS $ADDED"'], env={"ADDED": "2"}) == "1 2\n"


@pytest.mark.parametrize(("script", "said"), [
    ("echo first >&2; echo last >&2; exit 3", ": last"), ("echo out; exit 3", ": out"), ("exit 3", ""), ("echo '  ' >&2; exit 3", ""),
])
def test_a_failure_names_the_command_and_its_last_words(script: str, said: str) -> None:
    with pytest.raises(programs.ProgramError) as caught:
        programs.run(["sh", "-c", script])
    assert caught.value.message == f"'sh -c {script}' failed with status 3{said}"
    assert f": {caught.value.said}" == said or not said


def test_a_failure_that_does_not_count_is_none() -> None:
    assert programs.run(["sh", "-c", "echo so far; exit 3"], check=False) == "so far\n"


@pytest.mark.parametrize("call", [programs.run, programs.spawn])
def test_a_program_that_is_not_there_is_named(call: Callable[[list[str]], object]) -> None:
    with pytest.raises(SockwakeError, match="cannot run /nonexistent/x: no such file or directory"):
        call(["/nonexistent/x"])


def test_a_spawned_program_counts_by_its_status(tmp_path: Path) -> None:
    programs.spawn(["touch", str(tmp_path / "made")])
    assert (tmp_path / "made").exists()
    with pytest.raises(programs.ProgramError, match="'false' failed with status 1"):
        programs.spawn(["false"])


def test_what_is_shown_goes_to_stderr_and_never_into_our_output() -> None:
    program = f"import sys; sys.path.insert(0, {str(SOURCE)!r}); from sockwake import programs; print([programs.run(['echo', 'x'], show=True)])"
    ran = run(sys.executable, "-ISB", "-c", program)
    assert (ran.stdout, ran.stderr) == ("['']\n", "x\n")
