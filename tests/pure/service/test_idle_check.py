"""An idle check ends the proxy that it has looked at, and nothing else."""

import signal
import time
from collections.abc import Callable
from functools import partial

import pytest

from child import MakeChild, await_rest, is_unhurt
from env_file import env
from sockwake.config import settings
from sockwake.errors import SockwakeError
from sockwake.lifecycle import holds, idleness, runtime
from sockwake.lifecycle.idleness import Observation
from sockwake.service.check import Check, find_proxy
from sockwake.system import pids, systemctl
from tree import Tree


@pytest.fixture
def asleep(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Check, Observation]]:
    """asleep(PID, UNIT): an idle check without clients, PID: the main process of the proxy.

    UNIT: where that process is by then, if not in the proxy's.
    """
    instance = tree.write_env("pg1", env(LISTEN="/run/missing/s", CHECK="none"))
    runtime.prepare(instance)
    monkeypatch.setattr("sockwake.system.systemctl.is_down", lambda unit: False)

    def make(pid: int, unit: str = instance.proxy_unit) -> tuple[Check, Observation]:
        monkeypatch.setattr(systemctl, "main_pid", lambda _: pid)
        monkeypatch.setattr(pids, "cgroup", lambda _: f"/system.slice/{unit}")
        read = settings.load(instance)
        proxy, proxy_fd = find_proxy(instance)
        check = Check(instance, read, proxy, proxy_fd)
        return check, idleness.look(instance, read, proxy)

    return make


def test_an_idle_check_ends_the_proxy_it_has_found(
    asleep: Callable[..., tuple[Check, Observation]], start: MakeChild
) -> None:
    proxy = start()
    await_rest(proxy.pid)
    check, seen = asleep(proxy.pid)
    check.put_to_sleep(seen)
    assert proxy.wait(5) == -signal.SIGHUP


def test_an_idle_check_continues_no_proxy_that_a_command_has_stopped(
    asleep: Callable[..., tuple[Check, Observation]],
    start: MakeChild,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would accept a client, and be ended under that."""
    monkeypatch.setattr(holds, "_A_MOMENT", 0.1)
    proxy = start()
    check, seen = asleep(proxy.pid)
    with holds.NoneTaken(check.instance):  # as sockwake forward and sockwake sleep have it
        proxy.send_signal(signal.SIGSTOP)
        while not pids.is_stopped(proxy.pid):  # the kernel does so in its own time
            time.sleep(0.001)
        for at_it in (check.release_stopped, partial(check.put_to_sleep, seen)):
            with pytest.raises(SockwakeError, match="was not free"):
                at_it()
            assert pids.is_stopped(proxy.pid)
    check.release_stopped()  # the command was killed
    assert is_unhurt(proxy)


def test_an_idle_check_leaves_alone_what_leads_clients_elsewhere_since_it_waited(
    asleep: Callable[..., tuple[Check, Observation]],
    start: MakeChild,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A command has ended the backend meanwhile."""
    proxy = start()
    check, seen = asleep(proxy.pid)
    monkeypatch.setattr("sockwake.system.systemctl.is_down", lambda unit: True)
    check.put_to_sleep(seen)
    assert is_unhurt(proxy)


def test_a_process_that_has_the_proxy_s_number_when_it_is_read_is_not_signalled(
    asleep: Callable[..., tuple[Check, Observation]], start: MakeChild
) -> None:
    innocent = start()
    check, seen = asleep(innocent.pid, "ssh.service")
    assert check.proxy == 0
    check.put_to_sleep(seen)
    assert is_unhurt(innocent)


def test_a_process_that_gets_the_proxy_s_number_during_the_check_is_not_signalled(
    asleep: Callable[..., tuple[Check, Observation]], start: MakeChild
) -> None:
    proxy, innocent = start(), start()
    check, seen = asleep(proxy.pid)
    proxy.kill()
    proxy.wait()
    check.proxy = innocent.pid
    check.put_to_sleep(seen)
    assert is_unhurt(innocent)
