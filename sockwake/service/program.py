"""An instance whose backend is a program of the host, run by systemd: what goes on beside and after it.

ExecStartPost= and ExecStopPost= of pg-postgres@NAME.service. They run as root, outside the program's
sandbox; the program is believed nothing. Before it there is only a look at the port's queue (pg-wanted@NAME.service): the
client waits for that, too. For kind command the proof goes on behind ExecStartPost= (bin/await), so that the proxy is set
up meanwhile.
"""

from __future__ import annotations

import os
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
)
from sockwake.lifecycle.main_process import Ended
from sockwake.lifecycle.monitor import Orders
from sockwake.lifecycle.readiness import await_server
from sockwake.system import files, journal, namespaces, pids, process, sdnotify, systemctl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_LOOK_EVERY = 0.002  # seconds
_NOT_FOUND, _NOT_EXECUTED = "127", "203"  # sh(1), systemd.exec(5)
_NOT_YET_THE_PROGRAM = (
    "systemd",
    "systemd-executor",
)  # what its process runs until its sandbox is done


def main(arguments: list[str]) -> int:
    """program await NAME [LOCK], or program after NAME, in the environment systemd gives such commands.

    LOCK: a descriptor that holds the proxy back. Nobody cares for the status: a program that never gets ready is ended.
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
    """Wait until the program answers, have its proxy go ahead, and look after its clients from then on; raises SockwakeError
    when it never does.

    lock: closed as soon as the proxy may.
    """
    if start_attempt.is_refusing():
        return
    _leave_for_proxy(runtime.prepare, instance)
    _leave_for_proxy(
        files.replace_volatile,
        start_attempt.awaited(instance),
        f"{os.environ['INVOCATION_ID']} {start_attempt.uptime()}",
    )
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
    journal.aside(_look_after, instance, settings)


def _leave_for_proxy(step: Callable[..., object], *arguments: object) -> None:
    """Do what the proxy needs. A program that takes its clients itself serves already, whatever comes of it."""
    if start_attempt.takes_socket():
        journal.aside(step, *arguments)
    else:
        step(*arguments)


def _await_server(pid: int, instance: Instance, settings: Settings) -> None:
    """Return once the program of process pid serves."""

    def wait() -> None:
        time.sleep(_LOOK_EVERY)
        main_process.executable(pid)

    def await_that(done: Callable[[], bool], otherwise: str) -> None:
        deadline = time.monotonic() + settings.start_timeout
        while not done():
            wait()
            if time.monotonic() > deadline:
                raise SockwakeError(f"{otherwise} within {settings.start_timeout:g} s")

    # until then it is in the host's network, where anybody can listen
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


def _look_after(instance: Instance, settings: Settings) -> None:
    """Become what looks after its clients, and ends with the program; of a native one, for which systemd waits, another
    process does."""
    server = main_process.descriptor()
    if server == pids.NONE:
        return
    orders = Orders.of(settings)
    if not orders.has_work or (settings.is_native and os.fork()):
        return
    os.set_inheritable(server, True)
    process.become("watcher", "--program", instance.name, f"{server}", *orders.to_argv())


def _end_program() -> None:
    """Have the program stop that never got ready. If it does not, systemd stops it when its proxy has left."""
    import signal  # 5 ms, which a wake that succeeds needs not pay

    pids.send(main_process.descriptor(), signal.SIGTERM)


def clean_up(instance: Instance) -> None:
    """After the end of the program: no proxy leads nowhere, and the reason of an end that was not asked for is kept."""
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
            runtime.leave_failure(instance, _why())
        # of a native one nobody asked how it is before it was called ready
        if not was_ready or start_attempt.woke_just_now(instance):
            start_attempt.refuse_next(instance, files.text_of(instance.failure_file).strip())
    if os.path.exists(instance.failure_file):
        proxy_netns.lead_somewhere(instance)  # a proxy may still be on its way in there
    else:
        proxy_netns.forget(instance)
    journal.say("asleep")


def _has_failed(instance: Instance, was_ready: bool) -> bool:
    """Whether nobody asked for its end. One that ends well, but before it was ready, has failed, too."""
    if os.environ.get("SERVICE_RESULT") != "success":
        return True
    return not (was_ready or systemctl.is_asked_to_stop(instance.backend_unit))


def _why() -> SockwakeError:
    """What there is to say of a program that has ended: what systemd does, and its own last line."""
    code, status = os.environ.get("EXIT_CODE", ""), os.environ.get("EXIT_STATUS", "")
    if status in (_NOT_FOUND, _NOT_EXECUTED):
        return SockwakeError("its program cannot be run")
    if os.environ.get("SERVICE_RESULT") == "timeout":
        return SockwakeError("its program did not say it was ready in time")
    ended = f"ended with status {status}" if code == "exited" else f"was killed by SIG{status}"
    invocation = os.environ.get("INVOCATION_ID", "")
    said = process.run(
        [
            "journalctl",
            "--lines=5",
            "--output=cat",
            f"_SYSTEMD_INVOCATION_ID={invocation}",
            "_TRANSPORT=stdout",
        ],
        check=False,
    ).splitlines()
    last = next((line for line in reversed(said) if line and not line.startswith("sockwake: ")), "")
    return SockwakeError(f"its program {ended}", said=last)
