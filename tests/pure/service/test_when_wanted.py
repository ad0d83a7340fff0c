"""bin/when-wanted, which has a program wait in its sandbox until a client was found."""

from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path

import pytest

from sockwake.lifecycle import start_attempt
from tree import SOURCE, Ran, run

RUN_ID = "0123456789abcdef0123456789abcdef"


def start(verdict: Path, **more: str) -> Ran:
    env = {"SOCKWAKE_VERDICT": str(verdict), "INVOCATION_ID": RUN_ID, **more}
    show = 'echo "started $1 ${SOCKWAKE_VERDICT-}"'
    return run("dash", str(SOURCE / "bin/when-wanted"), "sh", "-c", show, "sh", "a b", env=env)


@pytest.mark.parametrize(("run_id", "beside"), [(RUN_ID, ""), ("beside", "yes")])
@pytest.mark.parametrize(
    ("found", "said"), [("client", "started a b \n"), ("nobody", ""), ("unprepared", "")]
)
def test_a_program_starts_for_a_client_alone(
    tmp_path: Path, run_id: str, beside: str, found: str, said: str
) -> None:
    """beside: what pg-wanted@ has found, which does not know the run's id."""
    (tmp_path / "svc1").write_text(f"{run_id} {found}\n")
    ran = start(tmp_path / "svc1", SOCKWAKE_LOOKED_BESIDE=beside)
    assert (ran.status, ran.stdout, ran.stderr) == (0, said, "")


@pytest.mark.parametrize(
    "before",
    # the last one is of a native program that had the name before
    [None, "", f"{'f' * 32} client\n", f"{'f' * 32} nobody\n", "beside nobody\n"],
)
@pytest.mark.parametrize(
    ("found", "said"), [("client", "started a b \n"), ("nobody", ""), ("unprepared", "")]
)
def test_only_the_verdict_on_this_very_run_counts(
    tmp_path: Path, before: str | None, found: str, said: str
) -> None:
    verdict = tmp_path / "svc1"
    if before is not None:
        verdict.write_text(before)

    def find() -> None:
        time.sleep(0.3)
        verdict.write_text(f"{RUN_ID} {found}\n")

    thread = threading.Thread(target=find)
    began = time.monotonic()
    thread.start()
    ran = start(verdict)
    thread.join()
    assert time.monotonic() - began >= 0.3
    assert (ran.status, ran.stdout, ran.stderr) == (0, said, "")


def test_the_client_of_the_look_beside_a_program_is_known_when_it_has_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOCKWAKE_VERDICT", str(tmp_path / "svc1"))
    (tmp_path / "svc1.client").write_text(
        "  11: 0100007F:635A 0100007F:E4A0 01 00000000:00000012 02\n"
    )
    assert start_attempt.client_seen() == ""
    monkeypatch.setenv("SOCKWAKE_LOOKED_BESIDE", "yes")
    assert start_attempt.client_seen() == "127.0.0.1:58528"
    (tmp_path / "svc1.client").write_text("")
    assert start_attempt.client_seen() == ""
    (tmp_path / "svc1.client").unlink()
    assert start_attempt.client_seen() == ""


def test_while_there_is_no_verdict_a_stop_ends_it(tmp_path: Path) -> None:
    with subprocess.Popen(
        ["dash", str(SOURCE / "bin/when-wanted"), "echo", "started"],
        env={"SOCKWAKE_VERDICT": str(tmp_path / "svc1"), "INVOCATION_ID": RUN_ID},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        time.sleep(0.3)
        process.terminate()
        assert process.communicate(timeout=5)[0] == "" and process.returncode == -15
