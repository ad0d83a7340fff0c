"""The main process of pg-postgres@NAME.service of a compose project.

It wakes all services, carries their logs, and puts them to sleep: waker and watcher in one. compose
itself runs only when something of the project is missing or was edited.
"""

from __future__ import annotations

import os
import sys
import time

from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings
from sockwake.engine.api import Engine, EngineError
from sockwake.errors import SockwakeError, failure
from sockwake.lifecycle import project, proxy, runtime, wakes
from sockwake.lifecycle.monitor import ClientMonitor, Orders
from sockwake.lifecycle.service_run import ServiceRun
from sockwake.lifecycle.services import Services
from sockwake.service import waker
from sockwake.system import files, journal, memory, sdnotify


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
    """Wake the project, and put it to sleep when that is asked for; return when no client waits.

    Raises what went wrong, with nothing left running, and the reason left for bin/refuse.
    """
    stopwatch = waker.Stopwatch()
    services, is_awake = None, False
    try:
        settings, lock = waker.prepare(instance)
        client = waker.admit(instance, settings, lock)
        if not client:
            return
        engine = Engine.of(settings)
        services = project.find(engine, instance, settings, journal.write_as)
        stopwatch.mark("preparation")
        deadline = time.monotonic() + settings.start_timeout
        try:
            services.start(deadline)
        except EngineError as error:  # what the containers need was pruned
            if not error.is_of_something_missing:
                raise
            journal.say(f"made anew: {error.whole}")
            journal.aside(services.stop)
            services = project.make_anew(engine, instance, settings, journal.write_as)
            deadline = time.monotonic() + settings.start_timeout
            services.start(deadline)
        stopwatch.mark("services")
        doors = project.Doors(services, settings, deadline)
        doors.await_first()
        stopwatch.mark("ports")
        runtime.close_ports(instance)
        open_ports(instance, settings, services, doors)
        runtime.announce_ports(instance, project.backends(settings.ports))
        os.close(lock)
        is_awake = True
        waker.keep_books(instance, settings, client, stopwatch)
        doors.follow(lambda: open_ports(instance, settings, services, doors))
        watch(instance, settings, services)
    except Exception as error:
        journal.aside(runtime.withdraw_ready, instance)
        journal.aside(lambda: proxy.hang_up(instance, only_serving=True))
        if services:
            journal.aside(services.stop)
        journal.aside(files.remove, instance.ending_file)
        problem = failure(error)
        journal.aside(runtime.leave_failure, instance, problem)
        if is_awake:
            journal.aside(wakes.record_sleep, instance, None, problem.message)
        raise


def open_ports(
    instance: Instance, settings: Settings, services: Services, doors: project.Doors
) -> None:
    """Let the proxies of the ports go ahead that are served, or have had their time."""
    closed = doors.closed
    for service, port in dict.fromkeys(each.backend for each in settings.ports):
        door = project.door_of(service, port)
        is_unserved = (service, port) in closed
        if os.path.exists(f"{instance.run}/{door}") or (is_unserved and not doors.are_given_up):
            continue
        if is_unserved:
            journal.say(
                f"service '{service}' does not answer on port {port}: its clients are let go"
            )
        else:
            services.served.add(service)
        address = project.place(services.runs[service], port)
        runtime.open_port(instance, door, address)


def watch(instance: Instance, settings: Settings, services: Services) -> None:
    """Carry the logs until a stop is asked for, and stop; raises SockwakeError for another end."""
    asked = _Stop()

    def turn_away(ended: ServiceRun) -> None:
        """Lead no client to a server that has ended: at once, and not when its engine knows."""
        if ended.name in services.served:
            _turn_clients_away(instance)

    services.on_end = turn_away
    monitor = ClientMonitor(instance, Orders.of(settings))
    try:
        while not asked.for_:
            services.require_serving()
            monitor.wait(asked.fd, *services.fds)
            services.relay(0)
    finally:
        monitor.end()
    had = _memory(services)
    _turn_clients_away(instance)
    services.stop()
    _note_killed(instance, services)
    files.remove(instance.ending_file)
    wakes.record_sleep(instance, had)


def _turn_clients_away(instance: Instance) -> None:
    """End the proxies, and have systemd hold back the next wake until this process has ended."""
    journal.aside(sdnotify.notify, "STOPPING=1")
    runtime.withdraw_ready(instance)
    proxy.hang_up(instance)


def _memory(services: Services) -> memory.Memory | None:
    """What the containers of all services have; None when it is not known of one that runs."""
    each = [memory.of_pidfd(run.process) for run in services.runs.values() if not run.has_ended]
    known = [one for one in each if one]
    return sum(known[1:], known[0]) if known and len(known) == len(each) else None


def _note_killed(instance: Instance, services: Services) -> None:
    """Leave for `status` which services had to be killed, or that none had to be."""
    said = [
        f"service '{run.name}' did not end at its stop signal and was killed after "
        f"{run.killed_after:.0f} s"
        for run in services.runs.values()
        if run.killed_after
    ]
    for sentence in said:
        journal.say(sentence)
    if said:
        files.replace_volatile(instance.killed_file, "".join(f"{each}\n" for each in said))
    else:
        files.remove(instance.killed_file)


class _Stop:
    """Whether a signal has asked for the end; fd can be read when one has."""

    def __init__(self) -> None:
        self.for_ = False
        self.fd = sdnotify.catch_ending(self._on_signal)

    def _on_signal(self, _signal_number: int, _frame: object) -> None:
        self.for_ = True
