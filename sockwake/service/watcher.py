"""The main process of pg-postgres@NAME.service while the database is awake: carries its log, puts it to sleep.

The waker becomes this by exec, which leaves behind what waking needed in memory: 8 MB stay for as long as the
instance is awake, whether the waker only started a container (10 MB) or had to make one first (20 MB).

It loads all code of ours it may ever need when it starts: an upgrade can take the files away under it.
"""

from __future__ import annotations

import _signal  # type: ignore  # the typeshed has no stub for it
import os
import sys

from sockwake.config.instance import Instance, Name
from sockwake.engine.api import Engine, EngineError
from sockwake.engine.container import Container
from sockwake.errors import SockwakeError
from sockwake.lifecycle import monitor, proxy, proxy_netns, runtime
from sockwake.lifecycle.monitor import ClientMonitor, readable
from sockwake.system import files, journal, sdnotify

_SHUTDOWN = 300  # seconds, which leaves some of TimeoutStopSec= of pg-postgres@.service
_LAST_WORDS = 5  # seconds the engine may take to pass on what a container that has ended wrote


class Watcher:
    """One instance that is awake. server: what can be read when the container's process 1 has ended (pidfd_open(2)); the
    kernel tells long before the engine. stop: the signal that ends it, for when there is no engine to do so."""

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
        self._catch_the_end()

    def run(self) -> None:
        """Carry the log until a stop is asked for and done; raises SockwakeError when the container ends by itself."""
        while not self.stopping:
            ready = self.monitor.wait(self._wakeup, self.container.fd, self._server)
            if self._server in ready or (
                self.container.fd in ready and not self.container.relay(journal.write)
            ):
                self._lose_container()
        self._turn_clients_away()
        try:
            self._stop_container()
        except EngineError:
            self._end_server()
            raise
        while self.container.relay(journal.write):
            pass
        proxy_netns.forget(self.instance)
        files.remove(self.instance.ending_file)
        journal.say("asleep")

    def _turn_clients_away(self) -> None:
        """Have no client led to a server that ends.

        Most ends have been asked for by a stop job, and found no proxy any more. Others have not: a signal by hand, or a
        server that ends by itself. From its first word on systemd holds back the next wake until this process has
        ended, and does not take the backend for one that runs.
        """
        journal.aside(sdnotify.notify, "STOPPING=1")
        runtime.withdraw_ready(self.instance)
        proxy.hang_up(self.instance)

    def _stop_container(self) -> None:
        """Have the engine stop it, which goes on talking meanwhile."""
        answer = self.container.begin_stop()
        while answer.fileno() not in readable(answer.fileno(), self.container.fd):
            self.container.relay(journal.write)
        self.container.engine.finish(answer)

    def _lose_container(self) -> None:
        """The container has ended unasked, or its engine has; raises SockwakeError with the reason."""
        self._turn_clients_away()
        while self.container.fd >= 0 and readable(self.container.fd, timeout=_LAST_WORDS):
            self.container.relay(journal.write)
        if self._end_server():
            raise SockwakeError("the container engine has ended under it")
        raise self.container.how_it_ended()

    def _end_server(self) -> bool:
        """Stop the server that its engine has left running, and wait for that; False when it has ended itself.

        An engine that is stopped may be about to do so, and gets its time.
        """
        if self._server < 0 or readable(self._server, timeout=_LAST_WORDS):
            return False
        try:
            _signal.pidfd_send_signal(self._server, self._stop)
            if not readable(self._server, timeout=_SHUTDOWN):
                _signal.pidfd_send_signal(self._server, _signal.SIGKILL)
        except ProcessLookupError:
            pass  # it has just ended
        return True

    def _catch_the_end(self) -> None:
        """A signal that asks for it is a byte in a pipe: nothing is interrupted half-way, and poll() sees it."""
        self._wakeup, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        _signal.set_wakeup_fd(writer)
        for number in sdnotify.ENDING:
            _signal.signal(number, self._on_signal)
        _signal.pthread_sigmask(_signal.SIG_UNBLOCK, sdnotify.ENDING)

    def _on_signal(self, _signal_number: int, _frame: object) -> None:
        self.stopping = True


def main(arguments: list[str]) -> int:
    """watcher NAME SOCKET OUTPUT SERVER STOP SECONDS VISITS WORDS CHECK: watch the container of the engine at SOCKET through the
    descriptors of its output and its process, which the signal STOP ends. Have it looked at every SECONDS after its last
    client; 0 for never. Note who of those that the descriptor VISITS tells of has said more than WORDS bytes; -1 for none.
    See to it that the timer is there by which its check looks every CHECK seconds; 0 for none.
    watcher --program NAME SERVER SECONDS VISITS WORDS CHECK: the same for a program, which systemd watches itself.
    The status is for systemd alone."""
    try:
        if arguments[0] == "--program":
            server = int(arguments[2])
            guests = monitor.of(Instance(Name(arguments[1])), arguments[3:])
            guests.wait(server)
            guests.end()
        else:
            output, server, stop = map(int, arguments[2:5])
            instance = Instance(Name(arguments[0]))
            container = Container(instance.container, Engine(arguments[1]), output)
            watch(Watcher(instance, container, server, stop, monitor.of(instance, arguments[5:])))
    except SockwakeError as error:
        print(error, file=sys.stderr)
        return error.status
    return 0


def watch(watcher: Watcher) -> None:
    """Watch until the end; of an unwanted one leave the reason."""
    try:
        watcher.run()
    except SockwakeError as error:
        journal.aside(runtime.leave_failure, watcher.instance, error)
        raise
    finally:
        watcher.monitor.end()
