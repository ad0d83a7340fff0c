"""A signal reaches the right process, and none that has its number by now."""

import os
import signal
import time
from pathlib import Path

import pytest

from child import Child, MakeChild, is_unhurt
from env_file import env
from sockwake.config import scope, settings
from sockwake.engine import rootless
from sockwake.engine.api import Engine
from sockwake.engine.container import Container
from sockwake.service import program, unproven, waker
from sockwake.system import pids
from tree import Tree


def test_the_child_of_a_process(start: MakeChild) -> None:
    parent = start("sh", "-c", "sleep 100; :")
    deadline = time.monotonic() + 10
    while not (child := pids.child_of(parent.pid)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert Path(f"/proc/{child}/stat").read_text().split()[3] == str(parent.pid)
    assert pids.child_of(child) == 0 and pids.child_of(0) == 0
    os.kill(child, signal.SIGKILL)


def open_files() -> list[str]:
    return sorted(os.listdir("/proc/self/fd"))


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
    unproven.end_server("await")
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
