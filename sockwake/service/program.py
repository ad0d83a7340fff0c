"""What runs beside and after a program that systemd itself runs as an instance's backend.

ExecStartPost= and ExecStopPost= of pg-postgres@NAME.service. They run as root, outside the
program's sandbox, and trust nothing the program says. bin/await has looked for a client, or
pg-wanted@NAME.service before all. For kind command the proof goes on behind ExecStartPost=
(bin/await), so that the proxy is set up meanwhile.
"""

from __future__ import annotations

import _signal  # type: ignore  # the typeshed has no stub for it
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
    proxy_netns,
    runtime,
    start_attempt,
    wakes,
)
from sockwake.lifecycle.main_process import Ended
from sockwake.lifecycle.monitor import Orders, readable
from sockwake.lifecycle.probe import LONGER, Pace
from sockwake.lifecycle.readiness import await_postgres, await_server
from sockwake.system import journal, namespaces, pids, process, safe_path, sdnotify, systemctl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sockwake.lifecycle.probe import Wait

_LOOK_EVERY = 0.002  # seconds
_CRUN = "crun"
_CLIENTS_FIRST = 0.1  # seconds that processors are left to the first client's session


def main(arguments: list[str]) -> int:
    """program VERB NAME [LOCK], with the environment of systemd.exec(5).

    VERB: await and after, beside and behind a program; await-server and after-server, a PostgreSQL
    of the host; await-bundle and after-bundle, a container that crun runs; unproven-program, and
    unproven for the other two, when that await was killed. LOCK: a descriptor of the wake lock, for
    which the proxy waits. The status has no meaning: a program that never gets ready is ended.
    """
    verb, name, *lock = arguments
    instance = Instance(Name(name))
    os.umask(0o022)  # service.conf may have another
    sdnotify.put_off_ending()  # it ends with the program
    try:
        namespaces.leave_sandbox()
        if verb in ("await", "await-server"):
            await_ready(instance, *map(int, lock))
        elif verb == "await-bundle":
            await_bundle(instance, *map(int, lock))
        elif verb in ("unproven", "unproven-program"):
            from sockwake.service import unproven

            unproven.give_up(instance, verb)
        else:
            from sockwake.service import program_after  # what a wake need not wait for

            return program_after.clean_up(instance, verb)
    except Ended as error:
        main_process.await_end()
        if not os.path.exists(instance.nobody_file):
            print(error, file=sys.stderr)
        return 1
    except Exception as error:
        problem = failure(error)
        runtime.leave_failure(instance, problem)
        print(problem, file=sys.stderr)
        if not verb.startswith("after"):
            from sockwake.service import unproven  # of a wake that has failed

            unproven.end_server(verb)
        return 1
    return 0


def await_ready(instance: Instance, lock: int = -1) -> None:
    """Wait until the program answers, let its proxy go ahead, and become its clients' monitor.

    lock: closed when the proxy may go ahead. Raises SockwakeError when the program never answers.
    """
    if start_attempt.is_refusing():
        return
    _leave_for_proxy(runtime.prepare, instance)
    _leave_for_proxy(start_attempt.note, instance)
    settings, pid = load(instance), main_process.pid()
    if lock >= 0:
        runtime.promise_end(lock, settings)
    client = start_attempt.client_seen() or connections.connecting(settings)
    allowlist.require_enforced(settings)
    if settings.is_native:
        _await_sandbox(pid, settings)
    else:
        proxy_netns.require_agreement(instance, bool(settings.backend_port))
        _await_server(pid, instance, settings)
    client, took = _go_ahead(instance, settings, client, pid, lock)
    if not settings.is_native:  # whose unit is still starting
        readable(main_process.descriptor(), timeout=_CLIENTS_FIRST)
    _keep_books(instance, settings, client, took)
    journal.aside(_monitor_clients, instance, settings)


def await_bundle(instance: Instance, lock: int) -> None:
    """Do the same for a server that bin/container has crun run.

    That forgets first how the last wake ended.
    """
    start_attempt.note(instance)
    pid = main_process.pid()
    wait = _waiter(pid)
    while not main_process.is_set_up(pid):
        wait(_LOOK_EVERY, -1)
    settings = load(instance)
    runtime.promise_end(lock, settings)
    client = connections.connecting(settings)
    allowlist.require_enforced(settings)
    proxy_netns.require_agreement(instance, bool(settings.backend_port))
    if settings.data:
        safe_path.require_safe(settings.data, "data directory")
    looks = Pace(_LOOK_EVERY, 0.02, 0.1)  # a cluster may have to be made first, for hours
    while main_process.name(pid) != _CRUN:
        wait(looks.pause(), -1)
    prepared = main_process.age(pid)
    if settings.has_cluster:
        await_postgres(instance, settings, wait)
    else:
        from sockwake.lifecycle import contained

        contained.await_ready(pid, instance, settings, wait)
    client, took = _go_ahead(instance, settings, client, pid, lock, prepared)
    readable(server := main_process.descriptor(), timeout=_CLIENTS_FIRST)
    # not of a stop that is queued, whose place a client may take
    if systemctl.active_state(instance.backend_unit) != "deactivating":
        _keep_books(instance, settings, client, took)
    elif settings.has_cluster:
        # sent before the server had its handlers, the signal was lost (pid_namespaces(7))
        pids.send(server, _signal.SIGINT)
    journal.aside(_monitor_clients, instance, settings)


def _go_ahead(
    instance: Instance,
    settings: Settings,
    client: str,
    pid: int,
    lock: int,
    prepared: float | None = None,
) -> tuple[str, float | None]:
    """Let the proxy go ahead; returns who woke it, and the seconds it took, None for a trial.

    prepared: after how many of them its server was started and watched, where that is known.
    """
    took = main_process.age(pid)
    _leave_for_proxy(runtime.announce_ready, instance, settings)
    if lock >= 0:
        os.close(lock)
    phases = ""
    if prepared is not None:
        phases = wakes.phases([("preparation", prepared), (settings.kind, took - prepared)])
    is_trial = os.path.exists(instance.trial_file)
    if client in connections.UNSEEN and not is_trial:
        from sockwake.lifecycle import asker  # late: clients need not wait for it

        client = asker.of_wake(instance, settings, client, took)
    journal.aside(wakes.tell, instance, "" if is_trial else client, took, phases)
    return client, None if is_trial else took


def _keep_books(instance: Instance, settings: Settings, client: str, took: float | None) -> None:
    """Do what can wait until clients are served. None of it can fail a wake that has succeeded."""
    journal.aside(check_timer.start, instance, settings)
    journal.aside(allowlist.note_dropped, instance, settings)
    if took is not None:
        journal.aside(wakes.note, instance, client, took)
    if os.path.exists(f"{instance.password_file}.new"):
        from sockwake.lifecycle import begun

        journal.aside(begun.settle, instance)


def _leave_for_proxy(step: Callable[..., object], *arguments: object) -> None:
    """Do what the proxy needs; a native program, which has none, goes on when that fails."""
    if start_attempt.takes_socket():
        journal.aside(step, *arguments)
    else:
        step(*arguments)


def _await_server(pid: int, instance: Instance, settings: Settings) -> None:
    """Return once the program of process pid serves; raises SockwakeError when it never does."""
    wait = _waiter(pid)
    if settings.has_cluster:
        safe_path.require_safe(settings.data, "data directory")
        await_postgres(instance, settings, wait, pid)
        return
    # until then it is in the host's network, where any process can listen
    _await_sandbox(pid, settings)
    if not settings.backend_port:
        socket = program_socket.path(instance, settings)
        _await_that(
            lambda: program_socket.expose(instance, settings),
            f"its program has made no socket {socket}",
            wait,
            settings,
        )
    await_server(pid, instance, settings, wait)


def _await_sandbox(pid: int, settings: Settings) -> None:
    """Return once process pid is in its sandbox."""
    _await_that(
        lambda: main_process.is_set_up(pid),
        "systemd has not started its program",
        _waiter(pid),
        settings,
    )


def _await_that(done: Callable[[], bool], otherwise: str, wait: Wait, settings: Settings) -> None:
    """Return once done() is true; raises SockwakeError when START_TIMEOUT is over before."""
    deadline = time.monotonic() + settings.start_timeout
    while not done():
        wait(_LOOK_EVERY, -1)
        if time.monotonic() > deadline:
            raise SockwakeError(f"{otherwise} within {settings.start_timeout:g} s", LONGER)


def _waiter(pid: int) -> Wait:
    """A wait() that ends with the main process, and raises Ended then."""
    server = main_process.descriptor()

    def wait(seconds: float, fd: int) -> None:
        readable(server, fd, timeout=seconds)
        main_process.executable(pid)

    return wait


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
