"""A signal reaches the right process, and none that has its number by now."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from env_file import env
from sockwake.config import scope, settings
from sockwake.engine import rootless
from sockwake.engine.api import Engine
from sockwake.engine.container import Container
from sockwake.errors import SockwakeError
from sockwake.lifecycle import holds, idleness, runtime
from sockwake.lifecycle.idleness import Observation
from sockwake.service import program, waker
from sockwake.service.check import Check, find_proxy
from sockwake.system import pids, systemctl
from tree import Tree

Child = subprocess.Popen[bytes]
MakeChild = Callable[..., Child]


@pytest.fixture
def start() -> Iterator[MakeChild]:
    """start(ARGV...) starts a child process, `sleep` by default."""
    known: list[Child] = []

    def make(*argv: str) -> Child:
        known.append(subprocess.Popen(argv or ("sleep", "100"), stdout=subprocess.PIPE))
        return known[-1]

    yield make
    for child in known:
        child.kill()
        child.communicate()


def test_the_child_of_a_process(start: MakeChild) -> None:
    parent = start("sh", "-c", "sleep 100; :")
    deadline = time.monotonic() + 10
    while not (child := pids.child_of(parent.pid)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert Path(f"/proc/{child}/stat").read_text().split()[3] == str(parent.pid)
    assert pids.child_of(child) == 0 and pids.child_of(0) == 0
    os.kill(child, signal.SIGKILL)


def is_unhurt(child: Child) -> bool:
    """Whether a child still runs, a moment later."""
    time.sleep(0.1)
    return child.poll() is None and not pids.is_stopped(child.pid)


def open_files() -> list[str]:
    return sorted(os.listdir("/proc/self/fd"))


@pytest.fixture
def asleep(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> Callable[[list[int]], tuple[Check, Observation]]:
    """asleep(IDS): an idle check without clients; IDS: the main processes that systemd tells."""
    instance = tree.write_env("pg1", env(LISTEN="/run/missing/s", CHECK="none"))
    runtime.prepare(instance)
    monkeypatch.setattr("sockwake.service.check._has_ended", lambda unit: False)

    def make(numbers: list[int]) -> tuple[Check, Observation]:
        monkeypatch.setattr(
            systemctl, "main_pid", lambda unit: numbers.pop(0) if len(numbers) > 1 else numbers[0]
        )
        read = settings.load(instance)
        proxy, proxy_fd = find_proxy(instance)
        check = Check(instance, read, proxy, proxy_fd)
        return check, idleness.look(instance, read, proxy)

    return make


def test_a_pidfd_is_opened_when_the_process_is_the_right_one() -> None:
    before = open_files()
    pidfd = pids.open_checked(os.getpid(), lambda: True)
    assert os.readlink(f"/proc/self/fd/{pidfd}") == "anon_inode:[pidfd]" and not pids.has_ended(
        pidfd
    )
    pids.close(pidfd)
    assert pids.open_checked(os.getpid(), lambda: False) == pids.NONE
    assert pids.open_checked(0, lambda: True) == pids.NONE
    assert open_files() == before


def test_no_pidfd_is_opened_for_a_process_that_ends_meanwhile(start: MakeChild) -> None:
    child = start()

    def is_it() -> bool:
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        return True

    assert pids.open_checked(child.pid, is_it) == pids.NONE
    child.wait()
    assert pids.open_checked(child.pid, lambda: True) == pids.NONE
    pids.send(pids.NONE, signal.SIGTERM)


def test_an_idle_check_ends_the_proxy_it_has_found(
    asleep: Callable[[list[int]], tuple[Check, Observation]], start: MakeChild
) -> None:
    proxy = start()
    time.sleep(0.1)  # until it sleeps
    check, seen = asleep([proxy.pid])
    check.put_to_sleep(seen)
    assert proxy.wait(5) == -signal.SIGHUP


def test_an_idle_check_continues_no_proxy_that_a_command_has_stopped(
    asleep: Callable[[list[int]], tuple[Check, Observation]],
    start: MakeChild,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would accept a client, and be ended under that."""
    monkeypatch.setattr(holds, "_A_MOMENT", 0.1)
    proxy = start()
    check, seen = asleep([proxy.pid])
    with holds.NoneTaken(check.instance):  # as sockwake forward and sockwake sleep have it
        proxy.send_signal(signal.SIGSTOP)
        for at_it in (check.release_stopped, partial(check.put_to_sleep, seen)):
            with pytest.raises(SockwakeError, match="was not free"):
                at_it()
            assert pids.is_stopped(proxy.pid)
    check.release_stopped()  # the command was killed
    assert is_unhurt(proxy)


def test_an_idle_check_leaves_alone_what_leads_clients_elsewhere_since_it_waited(
    asleep: Callable[[list[int]], tuple[Check, Observation]],
    start: MakeChild,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A command has ended the backend meanwhile."""
    proxy = start()
    check, seen = asleep([proxy.pid])
    monkeypatch.setattr("sockwake.service.check._has_ended", lambda unit: True)
    check.put_to_sleep(seen)
    assert is_unhurt(proxy)


def test_a_process_that_has_the_proxy_s_number_when_it_is_read_is_not_signalled(
    asleep: Callable[[list[int]], tuple[Check, Observation]], start: MakeChild
) -> None:
    innocent = start()
    check, seen = asleep([innocent.pid, 0])
    assert check.proxy == 0
    check.put_to_sleep(seen)
    assert is_unhurt(innocent)


def test_a_process_that_gets_the_proxy_s_number_during_the_check_is_not_signalled(
    asleep: Callable[[list[int]], tuple[Check, Observation]], start: MakeChild
) -> None:
    proxy, innocent = start(), start()
    check, seen = asleep([proxy.pid])
    proxy.kill()
    proxy.wait()
    check.proxy = innocent.pid
    check.put_to_sleep(seen)
    assert is_unhurt(innocent)


THREADS = """import signal, threading
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
threading.Thread(target=threading.Event().wait, daemon=True).start()
print(flush=True)
signal.pause()
"""


def pending(pid: int) -> tuple[bool, bool]:
    """Whether SIGTERM waits for its first thread, and for whichever takes it."""
    lines = Path(f"/proc/{pid}/task/{pid}/status").read_text().splitlines()
    masks = dict(line.split(":\t") for line in lines if line.startswith(("SigPnd", "ShdPnd")))
    return tuple(
        bool(int(masks[key], 16) & 1 << signal.SIGTERM - 1) for key in ("SigPnd", "ShdPnd")
    )  # type: ignore[return-value]


@pytest.mark.parametrize("knows_threads", [True, False])
def test_the_first_thread_is_signalled_alone(
    start: MakeChild, monkeypatch: pytest.MonkeyPatch, knows_threads: bool
) -> None:
    child = start("python3", "-c", THREADS)
    assert child.stdout and child.stdout.readline()
    assert pids.threads(child.pid) == 2
    if not knows_threads:
        known = os.pidfd_open

        def of_an_older_kernel(pid: int, flags: int) -> int:
            if flags:
                raise OSError(22, "Invalid argument")
            return known(pid)

        monkeypatch.setattr(os, "pidfd_open", of_an_older_kernel)
    before = open_files()
    pids.send_to_first_thread(child.pid, lambda: False, signal.SIGTERM)
    assert pending(child.pid) == (False, False)
    pids.send_to_first_thread(child.pid, lambda: True, signal.SIGTERM)
    assert pending(child.pid) == (True, False)
    assert open_files() == before


@pytest.mark.parametrize(
    ("ours", "its", "is_ended"),
    [
        ("/a.service", "/a.service", True),
        ("/a.service/.control", "/a.service/worker", True),
        ("/a.service", "/b.service", False),
        ("", "", False),
    ],
)
def test_a_program_that_never_got_ready_is_ended_and_no_other_process(
    start: MakeChild, monkeypatch: pytest.MonkeyPatch, ours: str, its: str, is_ended: bool
) -> None:
    child = start()
    monkeypatch.setenv("MAINPID", str(child.pid))
    monkeypatch.setattr(pids, "cgroup", {os.getpid(): ours, child.pid: its}.get)
    program._end_program()
    assert child.wait(5) == -signal.SIGTERM if is_ended else is_unhurt(child)


def test_who_has_the_number_of_a_program_is_not_watched_for_it(
    tree: Tree, start: MakeChild, monkeypatch: pytest.MonkeyPatch
) -> None:
    became: list[object] = []
    monkeypatch.setattr("sockwake.system.process.become", lambda *argv: became.append(argv))
    instance = tree.write_env("pg1", env(LISTEN="/run/missing/s", CHECK="none"))
    child = start()
    monkeypatch.setattr(pids, "cgroup", {os.getpid(): "/a.service", child.pid: "/b.service"}.get)
    monkeypatch.setenv("MAINPID", str(child.pid))
    program._monitor_clients(instance, settings.load(instance))
    assert became == []


def test_a_container_s_process_is_watched_when_the_engine_says_so_twice(
    start: MakeChild, monkeypatch: pytest.MonkeyPatch
) -> None:
    container, child = Container("sockwake-pg1", Engine("/nowhere")), start()
    numbers = [child.pid, 0, child.pid, child.pid]
    monkeypatch.setattr(container, "pid", lambda: numbers.pop(0))
    assert waker.process_of(container) == pids.NONE
    pidfd = waker.process_of(container)
    assert os.get_inheritable(pidfd)
    pids.close(pidfd)


def named(name: str, folder: Path) -> str:
    """A program that sleeps, under another name."""
    copy = folder / name
    copy.write_bytes(Path("/bin/sleep").read_bytes())
    copy.chmod(0o755)
    return str(copy)


def runs(child: Child, path: str) -> bool:
    """Whether it has become that program; False when it has ended."""
    deadline = time.monotonic() + 5
    while child.poll() is None and time.monotonic() < deadline:
        try:
            if os.readlink(f"/proc/{child.pid}/exe") == path:
                return True
        except FileNotFoundError:
            pass  # it has just ended
        time.sleep(0.01)
    return False


@pytest.mark.parametrize(
    ("name", "is_pause"), [("catatonit", True), ("podman", True), ("browser", False)]
)
def test_podman_s_pause_process_is_known_by_its_program(
    tmp_path: Path, start: MakeChild, name: str, is_pause: bool
) -> None:
    path = named(name, tmp_path)
    child = start(path, "100")
    assert runs(child, path)
    assert rootless._is_pause(child.pid) == is_pause
    os.unlink(path)  # as an upgrade does
    assert rootless._is_pause(child.pid) == is_pause


@pytest.mark.parametrize(("name", "is_pause"), [("catatonit", True), ("browser", False)])
def test_only_podman_s_pause_process_is_asked_for_its_namespace(
    tmp_path: Path, start: MakeChild, monkeypatch: pytest.MonkeyPatch, name: str, is_pause: bool
) -> None:
    path = named(name, tmp_path)
    child = start("unshare", "--user", path, "100")
    if not runs(child, path):
        pytest.skip("there are no user namespaces here")
    monkeypatch.setattr(scope, "runtime", lambda: str(tmp_path))
    (tmp_path / "libpod/tmp").mkdir(parents=True)
    (tmp_path / "libpod/tmp/pause.pid").write_text(f"{child.pid}")
    namespace = rootless._open()
    assert (namespace >= 0) == is_pause
    pids.close(namespace)
