"""The main process of pg-postgres@NAME.service of a compose project: wakes all of its services, carries
their logs, and puts them to sleep.

Like the waker and the watcher of one container together. What it starts is a project that compose has
made (engine/project_containers); compose itself runs only when something of it is missing.
"""

from __future__ import annotations

import _signal  # type: ignore  # the typeshed has no stub for it
import os
import socket
import sys
import threading
import time

from sockwake.config.endpoint import Endpoint
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings
from sockwake.engine import project_containers
from sockwake.engine.api import Engine
from sockwake.engine.project_containers import NO_RESTART, Member
from sockwake.errors import SockwakeError, failure
from sockwake.lifecycle import proxy, runtime
from sockwake.lifecycle.monitor import ClientMonitor, Orders
from sockwake.lifecycle.services import ENDED, ServiceRun, Services
from sockwake.protocol import http
from sockwake.service import waker
from sockwake.system import files, journal, sdnotify

_FIRST_PROBE, _LAST_PROBE = 0.005, 0.25  # seconds between two probes of a port, doubled each time
_HTTP = "http:"
_RESTART_AFTER = (
    1.0,
    60.0,
)  # seconds: the first and the longest pause before a service is restarted
_WELL_AFTER = 60.0  # seconds; a service that ran for so long is restarted soon again


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
    """Wake the project, stay until it is to sleep, and put it to sleep; return at once without a client.

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
        services = _services(engine, instance, settings)
        stopwatch.mark("preparation")
        start(services, settings)
        stopwatch.mark("services")
        _await_ports(services, settings)
        stopwatch.mark("ports")
        runtime.announce_ports(instance, _backends(services, settings))
        os.close(lock)
        waker.keep_books(instance, settings, client, stopwatch)
        watch(instance, settings, services)
    except Exception as error:
        journal.aside(runtime.withdraw_ready, instance)
        journal.aside(proxy.hang_up, instance, only_serving=True)
        if services:
            journal.aside(services.stop)
        journal.aside(runtime.leave_failure, instance, failure(error))
        raise


def start(services: Services, settings: Settings) -> None:
    """Start every service; what the engine does not know any more, as a pruned network, is made anew once."""
    services.start(settings.start_timeout)


def watch(instance: Instance, settings: Settings, services: Services) -> None:
    """Carry the logs until a stop is asked for, and stop; raises SockwakeError when it ends by itself."""
    asked = _Stop()
    monitor = ClientMonitor(instance, Orders.of(settings))
    serving = {each.service for each in settings.ports}
    pauses: dict[str, float] = {}
    try:
        while not asked.for_:
            monitor.wait(asked.fd, *services.fds)
            for ended in services.relay(0):
                _note_end(services, ended, serving, pauses)
    finally:
        monitor.end()
    journal.aside(sdnotify.notify, "STOPPING=1")
    runtime.withdraw_ready(instance)
    proxy.hang_up(instance)
    services.stop()
    files.remove(instance.ending_file)
    for each in services.runs.values():
        if each.was_killed:
            journal.say(f"service '{each.name}' ignored its stop signal and was killed")
    journal.say("asleep")


def _services(engine: Engine, instance: Instance, settings: Settings) -> Services:
    """The project's services, made anew when a file was edited or a container is gone."""
    found = project_containers.members(engine, instance)
    if not found:
        found = make_anew(engine, instance, settings)
    serving = {each.service for each in settings.ports}
    return Services(engine, found, journal.write_as, serving)


def make_anew(engine: Engine, instance: Instance, settings: Settings) -> list[Member]:
    """Have compose make what is missing of the project or no longer what its files say."""
    from sockwake.engine import compose_project  # and with it YAML: not in a wake that finds all

    project = compose_project.read(settings.project, settings.profiles)
    found = project_containers.create(engine, instance, project, timeout=settings.start_timeout)
    missing = {each.service for each in settings.ports} - {each.service for each in found}
    if missing:
        raise SockwakeError(
            f"the project in {settings.project} has no service '{min(missing)}' any more",
            f"PORTS= in {instance.env_file} names it",
        )
    return found


def _await_ports(services: Services, settings: Settings) -> None:
    """Return once each port takes connections; raises SockwakeError when one does not in time."""
    deadline = time.monotonic() + settings.start_timeout
    first = settings.ports[0]
    for each in settings.ports:
        path = (
            settings.ready.removeprefix(_HTTP) if each is first and _HTTP in settings.ready else ""
        )
        _await_port(services, each, path, deadline)


def _await_port(services: Services, port: Endpoint, path: str, deadline: float) -> None:
    """Return once the server behind a port answers. path: asked for by HTTP, if any."""
    where = services.runs[port.service]
    pause = _FIRST_PROBE
    while time.monotonic() < deadline:
        if where.state == ENDED:
            raise where.container.how_it_ended()
        try:
            family = socket.AF_INET6 if ":" in where.address else socket.AF_INET
            with socket.socket(family) as probe:
                probe.settimeout(max(deadline - time.monotonic(), 1))
                probe.connect((where.address, port.target))
                if not path or http.is_ready(http.ask(probe, path)):
                    return
        except OSError:
            pass
        services.relay(1000 * pause)
        pause = min(2 * pause, _LAST_PROBE)
    raise SockwakeError(
        f"service '{port.service}' did not answer on port {port.target} within the start timeout"
    )


def _backends(services: Services, settings: Settings) -> list[tuple[int, str]]:
    """(how many listening sockets, address of their server), in the order of the sockets."""
    found: list[tuple[int, str]] = []
    for each in settings.ports:
        address = services.runs[each.service].address
        host = f"[{address}]" if ":" in address else address
        found.append((1, f"{host}:{each.target}"))
    return found


def _note_end(
    services: Services, ended: ServiceRun, serving: set[str], pauses: dict[str, float]
) -> None:
    """Go on without a service that has ended, or have it restarted; raises SockwakeError when clients need it."""
    if ended.exit_code < 0:
        raise SockwakeError("the container engine has ended under it")
    if ended.name in serving:
        raise ended.container.how_it_ended()
    policy = ended.member.restart
    if policy == NO_RESTART or (policy.startswith("on-failure") and not ended.exit_code):
        return
    pause = pauses[ended.name] = min(
        2 * pauses.get(ended.name, _RESTART_AFTER[0] / 2), _RESTART_AFTER[1]
    )
    journal.say(f"service '{ended.name}' ended with status {ended.exit_code}: again in {pause:g} s")
    threading.Thread(target=_restart, args=(services, ended, pause), daemon=True).start()


def _restart(services: Services, ended: ServiceRun, pause: float) -> None:
    time.sleep(pause)
    journal.aside(services.restart, ended, _RESTART_AFTER[1])


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
