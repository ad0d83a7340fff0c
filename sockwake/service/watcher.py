"""Relay a container's log, and stop it: pg-postgres@NAME.service while the instance is awake.

The waker becomes this by exec, which frees the memory that waking needed: 8 MB stay for as long as
the instance is awake, whether the waker only started a container (10 MB) or had to make one first
(20 MB).

All code of ours that may ever be needed is imported at the start: an upgrade can remove the files.
"""

from __future__ import annotations

import _signal  # type: ignore  # the typeshed has no stub for it
import sys
import time

from sockwake.config.instance import Instance, Name
from sockwake.engine.api import Engine, EngineError
from sockwake.engine.container import Container
from sockwake.errors import SockwakeError
from sockwake.lifecycle import proxy, proxy_netns, runtime, wakes
from sockwake.lifecycle.monitor import ClientMonitor, Orders, readable
from sockwake.lifecycle.server_log import ServerLog
from sockwake.system import files, journal, memory, sdnotify

_SHUTDOWN = 300  # seconds, which leaves some of TimeoutStopSec= of pg-postgres@.service
_LAST_WORDS = 5  # seconds an engine that is being stopped may take to stop its container


class Watcher:
    """The watcher of one instance that is awake.

    server: a descriptor of the container's process 1 (pidfd_open(2)): the kernel reports its end
        long before the engine does.
    stop: the signal that ends that process, for when there is no engine to stop the container.
    """

    def __init__(
        self,
        instance: Instance,
        container: Container,
        server: int,
        stop: int,
        monitor: ClientMonitor,
    ) -> None:
        self.instance = instance
        self.container = container
        self.monitor = monitor
        self.stopping = False
        self._server = server
        self._stop = stop
        self._log = ServerLog(instance)
        self._catch_the_end()

    def run(self) -> None:
        """Relay the log until a stop is asked for, and stop the container.

        Raises SockwakeError when it ends unasked.
        """
        while not self.stopping:
            ready = self.monitor.wait(self._wakeup, self.container.fd, self._server)
            has_ended = self._server in ready
            if not has_ended and self.container.fd in ready:
                has_ended = not self.container.relay(self._log.write)
            if has_ended:
                self._lose_container()
        had = memory.of_pidfd(self._server)
        self._turn_clients_away()
        began = time.monotonic()
        try:
            self._stop_container()
        except EngineError:
            self._end_server(max(_SHUTDOWN - (time.monotonic() - began), _LAST_WORDS))
            raise
        self.container.relay_rest(self._log.write)
        proxy_netns.forget(self.instance)
        files.remove(self.instance.ending_file)
        wakes.record_sleep(self.instance, had)

    def _turn_clients_away(self) -> None:
        """End the proxy, so that no client is led to a server that ends.

        A stop job has ended the proxy before; a signal by hand has not, nor the end of a server.
        STOPPING=1 makes systemd hold back the next wake until this process has ended.
        """
        journal.aside(sdnotify.notify, "STOPPING=1")
        runtime.withdraw_ready(self.instance)
        proxy.hang_up(self.instance)

    def _stop_container(self) -> None:
        """Have the engine stop the container, and relay its log meanwhile.

        Raises EngineError when it has not answered after the container's grace period and some.
        """
        began = time.monotonic()
        answer = self.container.begin_stop()
        patience = answer.gettimeout() or 0
        deadline = began + patience
        ready: set[int] = set()
        while answer.fileno() not in ready:
            left = deadline - time.monotonic()
            if left <= 0:
                answer.close()
                raise EngineError(
                    f"the container engine has not stopped its container within {patience:g} s"
                )
            ready = readable(answer.fileno(), self.container.fd, timeout=left)
            if self.container.fd in ready:
                self.container.relay(self._log.write)
        self.container.engine.finish(answer)
        journal.aside(runtime.note_stop, self.instance, self.container, time.monotonic() - began)

    def _lose_container(self) -> None:
        """Raise SockwakeError: why the container, or its engine, has ended unasked."""
        self._turn_clients_away()
        self.container.relay_rest(self._log.write)
        if self._end_server():
            raise SockwakeError("the container engine has ended under it")
        raise self.container.how_it_ended()

    def _end_server(self, patience: float = _SHUTDOWN) -> bool:
        """Stop the server that its engine has left running; False when it has ended by itself.

        patience: seconds from the stop signal to SIGKILL.
        An engine that is being stopped may be about to stop it, and gets _LAST_WORDS for that.
        """
        if self._server < 0 or readable(self._server, timeout=_LAST_WORDS):
            return False
        try:
            _signal.pidfd_send_signal(self._server, self._stop)
            if not readable(self._server, timeout=patience):
                _signal.pidfd_send_signal(self._server, _signal.SIGKILL)
        except ProcessLookupError:
            pass  # it has just ended
        return True

    def _catch_the_end(self) -> None:
        self._wakeup = sdnotify.catch_ending(self._on_signal)

    def _on_signal(self, _signal_number: int, _frame: object) -> None:
        self.stopping = True


def main(arguments: list[str]) -> int:
    """watcher NAME ENGINE OUTPUT SERVER STOP ORDERS..., or watcher --program NAME SERVER ORDERS...

    ENGINE: the path of its socket. OUTPUT: a descriptor of the container's output. SERVER: one of
    its process 1, or of the program, which systemd watches itself. STOP: the signal that ends the
    container. ORDERS: Orders.to_argv(). The status is for systemd alone.
    """
    try:
        if arguments[0] == "--program":
            watch_program(*arguments[1:])
        else:
            watch_container(*arguments)
    except SockwakeError as error:
        print(error, file=sys.stderr)
        return error.status
    return 0


def watch_program(name: str, server: str, *orders: str) -> None:
    """Monitor the clients of a program until it ends."""
    monitor = ClientMonitor(Instance(Name(name)), Orders.from_argv([*orders]))
    monitor.wait(int(server))
    monitor.end()


def watch_container(
    name: str, engine: str, output: str, server: str, stop: str, *orders: str
) -> None:
    """Watch a container until its end; leave the reason of one that was not asked for."""
    instance = Instance(Name(name))
    container = Container(instance.container, Engine(engine), int(output))
    monitor = ClientMonitor(instance, Orders.from_argv([*orders]))
    try:
        Watcher(instance, container, int(server), int(stop), monitor).run()
    except SockwakeError as error:
        journal.aside(runtime.leave_failure, instance, error)
        journal.aside(wakes.record_sleep, instance, None, error.message)
        raise
    finally:
        monitor.end()
