"""What decides whether a wake may go on while the machine is short of memory."""

from __future__ import annotations

import _signal  # type: ignore  # the typeshed has no stub for it
import os
import shutil
from pathlib import Path

import pytest

from env_file import env
from sockwake.config.instance import Instance
from sockwake.lifecycle import pressure as memory
from sockwake.lifecycle import runtime, start_attempt
from sockwake.service import pressure
from sockwake.system import namespaces
from tree import Tree


@pytest.fixture
def instance(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> Instance:
    """One that systemd starts."""
    made = tree.write_env("pg1", env())
    monkeypatch.setattr(pressure, "Instance", lambda _: made)
    monkeypatch.setenv("INVOCATION_ID", "1")
    monkeypatch.setattr(_signal, "signal", lambda *_: None)
    monkeypatch.setattr(namespaces, "leave_sandbox", lambda: None)
    return made


def test_a_start_that_tells_clients_why_there_was_none_goes_on(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It runs nothing that takes memory; held back, too, it would be tried again without end."""
    monkeypatch.setattr(memory, "_meminfo", lambda: {"MemTotal": 1, "MemAvailable": 0})
    monkeypatch.setenv("SOCKWAKE_REFUSAL", "the machine is short of memory")
    monkeypatch.setenv("SOCKWAKE_REFUSAL_UNTIL", f"{start_attempt.uptime() + 5}")
    assert pressure.main(["pg1"]) == 0
    monkeypatch.setenv("SOCKWAKE_REFUSAL_UNTIL", f"{start_attempt.uptime()}")
    assert pressure.main(["pg1"]) == 255
    assert "short of memory" in runtime.last_failure(instance)


def test_the_first_since_the_boot_leaves_a_reason_for_settings_that_cannot_be_read(
    instance: Instance, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(instance.env_file).write_text("PORT=many\n")
    shutil.rmtree(instance.run, ignore_errors=True)
    assert pressure.main(["pg1"]) == 255
    assert "'KIND' is missing" in runtime.last_failure(instance)
    assert "'KIND' is missing" in capsys.readouterr().err
    assert os.path.isdir(instance.run)
