"""The main process of pg-postgres@NAME.service of a compose project.

It wakes all services, carries their logs, and puts them to sleep: waker and watcher in one. compose
itself runs only when something of the project is missing or was edited.
"""

from __future__ import annotations

import _signal  # type: ignore  # the typeshed has no stub for it
import os
import sys
import threading
import time

from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings
from sockwake.engine.api import Engine, EngineError
from sockwake.engine.project_containers import NO_RESTART
from sockwake.errors import SockwakeError, failure
from sockwake.lifecycle import project, proxy, runtime
from sockwake.lifecycle.monitor import ClientMonitor, Orders
from sockwake.lifecycle.services import ServiceRun, Services
from sockwake.service import waker
from sockwake.system import files, journal, sdnotify

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0  # seconds before a service is restarted, doubled each time
_GONE = 404


def main(arguments: list[str]) -> int:
    """project NAME. Ends when the project sleeps again; the status is for systemd alone."""
    sdnotify.put_off_ending()
    try:
        run(Instance(Name(arguments[0])))
    except SockwakeError as error:
        print(error, file=sys.stderr)
        return error.status
    return 0


def run(instance: Instance) -> None:
    """Wake the project, stay until it is to sleep, put it to sleep; return when no client waits.

    Raises what went wrong, with nothing left running, and the reason left for bin/refuse.
    """
    stopwatch = waker.Stopwatch()
    services = None
    try:
        settings, lock = waker.prepare(instance)
        client = waker.admit(instance, settings, lock)
        if not client:
            return
        engine = Engine.of(settings)
        services = project.find(engine, instance, settings, journal.write_as)
        stopwatch.mark("preparation")
        try:
            services.start(settings.start_timeout)
        except EngineError as error:  # what the containers need was pruned
            if error.code != _GONE:
                raise
            journal.say(f"made anew: {error.whole}")
            services.stop()
            services = project.make_anew(engine, instance, settings, journal.write_as)
            services.start(settings.start_timeout)
        stopwatch.mark("services")
        doors = project.Doors(services, settings)
        doors.await_first()
        stopwatch.mark("ports")
        runtime.close_ports(instance)
        open_ports(instance, settings, doors)
        runtime.announce_ports(instance, project.backends(services, settings.ports))
        os.close(lock)
        waker.keep_books(instance, settings, client, stopwatch)
        threading.Thread(target=_open_later, args=(instance, settings, doors), daemon=True).start()
        watch(instance, settings, services)
    except Exception as error:
        journal.aside(runtime.withdraw_ready, instance)
        journal.aside(lambda: proxy.hang_up(instance, only_serving=True))
        if services:
            journal.aside(services.stop)
        journal.aside(files.remove, instance.ending_file)
        journal.aside(runtime.leave_failure, instance, failure(error))
        raise


def open_ports(instance: Instance, settings: Settings, doors: project.Doors) -> None:
    """Let the proxies of the ports go ahead that are served, or have had their time."""
    for backend in {port.backend for port in settings.ports}:
        if doors.are_given_up or backend not in doors.closed:
            runtime.open_port(instance, project.door_of(*backend))


def _open_later(instance: Instance, settings: Settings, doors: project.Doors) -> None:
    """Probe the ports that are not served yet, until they are or START_TIMEOUT is over."""
    while doors.closed and not doors.are_given_up:
        try:
            time.sleep(doors.probe())
        except SockwakeError:
            return  # a service has ended: watch() says so
        open_ports(instance, settings, doors)
    for service, port in doors.closed:
        journal.say(f"service '{service}' does not answer on port {port}: its clients are let go")


def watch(instance: Instance, settings: Settings, services: Services) -> None:
    """Carry the logs until a stop is asked for; raises SockwakeError when it ends by itself."""
    asked = _Stop()
    monitor = ClientMonitor(instance, Orders.of(settings))
    restarts = _Restarts(services)
    try:
        while not asked.for_:
            monitor.wait(asked.fd, *services.fds)
            for ended in services.relay(0):
                restarts.note_end(ended)
    finally:
        monitor.end()
    journal.aside(sdnotify.notify, "STOPPING=1")
    runtime.withdraw_ready(instance)
    proxy.hang_up(instance)
    services.stop()
    files.remove(instance.ending_file)
    for each in services.runs.values():
        if each.was_killed:
            journal.say(f"service '{each.name}' did not end at its stop signal, and was killed")
    journal.say("asleep")


class _Restarts:
    """What becomes of services that end while the project is awake."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._pauses: dict[str, float] = {}

    def note_end(self, ended: ServiceRun) -> None:
        """Go on without the service, or restart it as its file says; raises if clients need it."""
        if ended.exit_code < 0:
            raise SockwakeError("the container engine has ended under it")
        if ended.name in self._services.serving:
            raise ended.how_it_ended()
        policy = ended.member.restart
        has_done = policy.startswith("on-failure") and not ended.exit_code
        if policy == NO_RESTART or has_done:
            return
        pause = min(self._pauses.get(ended.name, _FIRST_PAUSE), _LONGEST_PAUSE)
        self._pauses[ended.name] = 2 * pause
        status = f"ended with status {ended.exit_code}"
        journal.say(f"service '{ended.name}' {status}: it is restarted in {pause:g} s")
        threading.Thread(target=self._restart, args=(ended, pause), daemon=True).start()

    def _restart(self, ended: ServiceRun, pause: float) -> None:
        time.sleep(pause)
        journal.aside(self._services.restart, ended, _LONGEST_PAUSE)


class _Stop:
    """A signal that asks for the end is a byte in a pipe: nothing is interrupted half-way."""

    def __init__(self) -> None:
        self.for_ = False
        self.fd, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        _signal.set_wakeup_fd(writer)
        for number in sdnotify.ENDING:
            _signal.signal(number, self._on_signal)
        _signal.pthread_sigmask(_signal.SIG_UNBLOCK, sdnotify.ENDING)

    def _on_signal(self, _signal_number: int, _frame: object) -> None:
        self.for_ = True
