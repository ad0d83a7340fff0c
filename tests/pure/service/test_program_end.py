"""A program that has ended before it was ready: by itself, whatever else is asked for by then."""

import os
import subprocess
from pathlib import Path

import pytest

from env_file import env
from sockwake.lifecycle import program_end, proxy, proxy_netns, runtime, wakes
from sockwake.lifecycle.main_process import Ended
from sockwake.service import program
from sockwake.system import namespaces, sdnotify, systemctl
from tree import Tree


def have_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is there to be ended, or to be led anywhere."""
    for module in (proxy, proxy_netns):
        for step in ("hang_up", "lead_somewhere", "forget"):
            monkeypatch.setattr(module, step, lambda *_, **__: None, raising=False)


def test_the_wake_lock_is_held_until_systemd_is_told_of_the_end(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its memory, by which an end is known first, is gone while its mounts are still undone."""
    tree.write_env("pg1", env())
    with subprocess.Popen(["sleep", "0.5"]) as ending:

        def end_early(*_: object) -> None:
            assert ending.poll() is None
            raise Ended("its program has ended")

        monkeypatch.setenv("MAINPID", str(ending.pid))
        monkeypatch.setattr(namespaces, "leave_sandbox", lambda: None)
        monkeypatch.setattr(sdnotify, "put_off_ending", lambda: None)
        monkeypatch.setattr(program, "await_bundle", end_early)
        assert program.main(["await-bundle", "pg1", "9"]) == 1
        assert ending.poll() == 0


@pytest.mark.parametrize("is_container", [True, False])
@pytest.mark.parametrize("by_itself", [True, False])
def test_a_stop_behind_an_end_is_not_its_reason(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, *, is_container: bool, by_itself: bool
) -> None:
    instance = tree.write_env("pg1", env())
    runtime.prepare(instance)
    told = {"SERVICE_RESULT": "success", "EXIT_CODE": "exited", "EXIT_STATUS": "0"}
    for name, value in (told | {"INVOCATION_ID": "1"}).items():
        monkeypatch.setenv(name, value)
    if is_container:
        monkeypatch.setenv("SOCKWAKE_ENDS_ANYHOW", "yes")
    have_no_proxy(monkeypatch)
    monkeypatch.setattr(wakes, "note_sleep", lambda *_: None)
    monkeypatch.setattr(systemctl, "is_asked_to_stop", lambda _: True)
    note_memory = Path(__file__, "../../../../bin/note-memory").resolve()
    pids = {} if by_itself else {"MAINPID": str(os.getpid())}
    script = note_memory.read_text().replace("/run/sockwake/$1", instance.run)
    subprocess.run(["sh", "-c", script, "sh", "pg1"], check=True, env={"PATH": "/bin"} | pids)
    assert program_end.clean_up(instance) == by_itself
    assert runtime.last_failure(instance) == ("its program ended with status 0" * by_itself)
    assert not os.path.exists(instance.ended_file)


def test_a_look_without_a_client_while_it_served_is_not_taken_for_its_end(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a port scan while it was held awake, without its proxy."""
    instance = tree.write_env("pg1", env())
    runtime.prepare(instance)
    for name, value in (("SERVICE_RESULT", "success"), ("INVOCATION_ID", "1")):
        monkeypatch.setenv(name, value)
    have_no_proxy(monkeypatch)
    monkeypatch.setattr(systemctl, "is_asked_to_stop", lambda _: True)
    for path in (instance.ready_file, instance.nobody_file):
        Path(path).touch()
    assert not program_end.clean_up(instance)
    assert os.path.exists(instance.asleep_since)
