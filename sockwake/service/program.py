"""What runs beside and after a program that systemd itself runs as an instance's backend.

ExecStartPost= and ExecStopPost= of pg-postgres@NAME.service. They run as root, outside the
program's sandbox, and trust nothing the program says. Before it only the port's queue is looked at
(pg-wanted@NAME.service): the client waits for that, too. For kind command the proof goes on behind
ExecStartPost= (bin/await), so that the proxy is set up meanwhile.
"""

from __future__ import annotations

import os
import select
import sys
import time

from sockwake.clients import allowlist, connections
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings, load
from sockwake.errors import SockwakeError, failure
from sockwake.lifecycle import (
    check_timer,
    main_process,
    program_socket,
    proxy,
    proxy_netns,
    runtime,
    start_attempt,
    wakes,
)
from sockwake.lifecycle.main_process import Ended
from sockwake.lifecycle.monitor import Orders
from sockwake.lifecycle.probe import LONGER
from sockwake.lifecycle.readiness import await_server
from sockwake.system import files, journal, namespaces, pids, process, sdnotify, systemctl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_LOOK_EVERY = 0.002  # seconds
_NOT_FOUND, _NOT_EXECUTED = "127", "203"  # sh(1), systemd.exec(5)
# what the main process runs until its sandbox is set up
_NOT_YET_THE_PROGRAM = ("systemd", "systemd-executor")


def main(arguments: list[str]) -> int:
    """program await NAME [LOCK], or program after NAME, with the environment of systemd.exec(5).

    LOCK: a descriptor of the wake lock, for which the proxy waits. The status has no meaning: a
    program that never gets ready is ended.
    """
    verb, name, *lock = arguments
    instance = Instance(Name(name))
    os.umask(0o022)  # service.conf may have another
    sdnotify.put_off_ending()  # it ends with the program
    try:
        namespaces.leave_sandbox()
        if verb == "await":
            await_ready(instance, *map(int, lock))
        else:
            clean_up(instance)
    except Ended as error:
        print(error, file=sys.stderr)
        return 1
    except Exception as error:
        problem = failure(error)
        runtime.leave_failure(instance, problem)
        print(problem, file=sys.stderr)
        if verb == "await":
            _end_program()
        return 1
    return 0


def await_ready(instance: Instance, lock: int = -1) -> None:
    """Wait until the program answers, let its proxy go ahead, and become its clients' monitor.

    lock: closed when the proxy may go ahead. Raises SockwakeError when the program never answers.
    """
    if start_attempt.is_refusing():
        return
    _leave_for_proxy(runtime.prepare, instance)
    this_run = f"{os.environ['INVOCATION_ID']} {start_attempt.uptime()}"
    _leave_for_proxy(files.replace_volatile, start_attempt.awaited(instance), this_run)
    settings, pid = load(instance), main_process.pid()
    if lock >= 0:
        runtime.promise_end(lock, settings)
    client = connections.connecting(settings)
    allowlist.require_enforced(settings)
    if not settings.is_native:
        proxy_netns.require_agreement(instance, bool(settings.backend_port))
        _await_server(pid, instance, settings)
    took = time.clock_gettime(time.CLOCK_BOOTTIME) - main_process.began(pid)
    _leave_for_proxy(runtime.announce_ready, instance, settings)
    if lock >= 0:
        os.close(lock)
    journal.aside(files.replace_volatile, instance.wake_file, f"{took:.3f}\n")
    journal.aside(journal.say, f"woken by {client} in {1000 * took:.0f} ms")
    journal.aside(check_timer.start, instance, settings)
    journal.aside(allowlist.note_dropped, instance, settings)
    journal.aside(wakes.note, instance, client, took)
    journal.aside(_monitor_clients, instance, settings)


def _leave_for_proxy(step: Callable[..., object], *arguments: object) -> None:
    """Do what the proxy needs; a native program, which has none, goes on when that fails."""
    if start_attempt.takes_socket():
        journal.aside(step, *arguments)
    else:
        step(*arguments)


def _await_server(pid: int, instance: Instance, settings: Settings) -> None:
    """Return once the program of process pid serves; raises SockwakeError when it never does."""

    server = main_process.descriptor()

    def wait(seconds: float, fd: int) -> None:
        poll = select.poll()
        for each in (server, fd):
            if each >= 0:
                poll.register(each, select.POLLIN)
        poll.poll(1000 * seconds)
        main_process.executable(pid)

    def await_that(done: Callable[[], bool], otherwise: str) -> None:
        deadline = time.monotonic() + settings.start_timeout
        while not done():
            wait(_LOOK_EVERY, -1)
            if time.monotonic() > deadline:
                raise SockwakeError(f"{otherwise} within {settings.start_timeout:g} s", LONGER)

    # until then it is in the host's network, where any process can listen
    await_that(
        lambda: main_process.executable(pid) not in _NOT_YET_THE_PROGRAM,
        "systemd has not started its program",
    )
    if not settings.backend_port:
        socket = program_socket.path(instance, settings)
        await_that(
            lambda: program_socket.expose(instance, settings),
            f"its program has made no socket {socket}",
        )
    await_server(pid, instance, settings, wait)


def _monitor_clients(instance: Instance, settings: Settings) -> None:
    """Become the monitor of its clients, which ends with the program.

    Of a native program a child does: systemd waits for ExecStartPost=.
    """
    server = main_process.descriptor()
    if server == pids.NONE:
        return
    orders = Orders.of(settings)
    if not orders.has_work or (settings.is_native and os.fork()):
        return
    os.set_inheritable(server, True)
    process.become("watcher", "--program", instance.name, f"{server}", *orders.to_argv())


def _end_program() -> None:
    """Ask a program to end that never got ready; systemd stops it when its proxy has left."""
    import signal  # 5 ms, which a wake that succeeds saves

    pids.send(main_process.descriptor(), signal.SIGTERM)


def clean_up(instance: Instance) -> None:
    """After the end of the program: end its proxy, and leave the reason of an unwanted end."""
    files.remove(start_attempt.refusal(instance))
    if start_attempt.was_refusing(instance):
        return
    runtime.make_directories(instance)
    was_ready = os.path.exists(instance.ready_file)
    files.remove(instance.ready_file)
    proxy.hang_up(instance, only_serving=not was_ready)
    program_socket.hide(instance)
    has_said_why = start_attempt.has_said_why(instance)
    if has_said_why or _has_failed(instance, was_ready):
        if was_ready or not has_said_why:
            runtime.leave_failure(instance, _why(was_ready=was_ready))
        # of a native program nothing was proven before it was called ready
        if not was_ready or start_attempt.woke_just_now(instance):
            start_attempt.refuse_next(instance, files.text_of(instance.failure_file).strip())
    if os.path.exists(instance.failure_file):
        proxy_netns.lead_somewhere(instance)  # a proxy may still be starting in there
    else:
        proxy_netns.forget(instance)
    journal.aside(wakes.note_sleep, instance)
    journal.say("asleep")


def _has_failed(instance: Instance, was_ready: bool) -> bool:
    """Whether its end was not asked for; it has failed, too, when it ended before it was ready."""
    if os.environ.get("SERVICE_RESULT") != "success":
        return True
    return not (was_ready or systemctl.is_asked_to_stop(instance.backend_unit))


def _why(*, was_ready: bool) -> SockwakeError:
    """Why the program has ended: what systemd says, and its own last line."""
    code, status = os.environ.get("EXIT_CODE", ""), os.environ.get("EXIT_STATUS", "")
    if status in (_NOT_FOUND, _NOT_EXECUTED):
        return SockwakeError("its program cannot be run")
    if os.environ.get("SERVICE_RESULT") == "timeout" and was_ready:
        return SockwakeError(
            "its program did not end at its stop signal and was killed "
            "(KillSignal= or TimeoutStopSec= in service.conf)"
        )
    if os.environ.get("SERVICE_RESULT") == "timeout":
        return SockwakeError("its program did not say it was ready in time")
    ended = f"ended with status {status}" if code == "exited" else f"was killed by SIG{status}"
    invocation = os.environ.get("INVOCATION_ID", "")
    its_output = [f"_SYSTEMD_INVOCATION_ID={invocation}", "_TRANSPORT=stdout"]
    argv = ["journalctl", "--lines=5", "--output=cat", *its_output]
    lines = process.run(argv, check=False).splitlines()
    own = [line for line in lines if line and not line.startswith("sockwake: ")]
    return SockwakeError(f"its program {ended}", said=own[-1] if own else "")
