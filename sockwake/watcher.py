"""The main process of pg-postgres@NAME.service while the database is awake: carries its log, puts it to sleep.

The waker becomes this by exec, which leaves behind what waking needed in memory: 8 MB stay for as long as the
instance is awake, whether the waker only started a container (10 MB) or had to make one first (20 MB).
"""

from __future__ import annotations

import _signal  # type: ignore  # the typeshed has no stub for it
import os
import sys

from sockwake import journal, lookout, manager, proxies, runtime
from sockwake.container import Container
from sockwake.engine import Engine, EngineError, engines_of
from sockwake.errors import SockwakeError
from sockwake.instance import Instance, Name
from sockwake.lookout import Lookout, readable

_SHUTDOWN = 300  # seconds, which leaves some of TimeoutStopSec= of pg-postgres@.service
_LAST_WORDS = 5  # seconds the engine may take to pass on what a container that has ended wrote


class Watcher:
    """One instance that is awake. server: what can be read when the container's process 1 has ended (pidfd_open(2)); the
    kernel tells long before the engine."""

    def __init__(self, instance: Instance, container: Container, server: int, lookout: Lookout) -> None:
        self.instance = instance
        self.container = container
        self.lookout = lookout
        self.stopping = False
        self._server = server
        self._catch_sigterm()

    def run(self) -> None:
        """Carry the log until a stop is asked for and done; raises SockwakeError when the container ends by itself."""
        while not self.stopping:
            ready = self.lookout.wait(self._wakeup, self.container.fd, self._server)
            if self._server in ready or (self.container.fd in ready and not self.container.relay(journal.write)):
                self._lose_container()
        runtime.remove(self.instance.ready_file)
        try:
            self._stop_container()
        except EngineError:
            self._end_server()
            raise
        while self.container.relay(journal.write):
            pass
        from sockwake import netns

        netns.forget(self.instance)
        journal.say("asleep")

    def _stop_container(self) -> None:
        """Have the engine stop it, which goes on talking meanwhile."""
        answer = self.container.begin_stop()
        while answer.fileno() not in readable(answer.fileno(), self.container.fd):
            self.container.relay(journal.write)
        self.container.engine.finish(answer)

    def _lose_container(self) -> None:
        """The container has ended unasked, or its engine has; raises SockwakeError with the reason.

        From its first word on systemd holds back the next wake until this process has ended, and does not take the
        backend for one that runs.
        """
        manager.notify("STOPPING=1")
        runtime.remove(self.instance.ready_file)
        proxies.end(self.instance)
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
        import signal

        stop = signal.SIGINT if _has_cluster(self.instance) else signal.SIGTERM
        try:
            signal.pidfd_send_signal(self._server, stop)
            if not readable(self._server, timeout=_SHUTDOWN):
                signal.pidfd_send_signal(self._server, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it has just ended
        return True

    def _catch_sigterm(self) -> None:
        """A stop is a byte in a pipe: nothing is interrupted half-way, and poll() sees it."""
        self._wakeup, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        _signal.set_wakeup_fd(writer)
        _signal.signal(_signal.SIGTERM, self._on_sigterm)
        _signal.pthread_sigmask(_signal.SIG_UNBLOCK, {_signal.SIGTERM})

    def _on_sigterm(self, _signal_number: int, _frame: object) -> None:
        self.stopping = True


def main(arguments: list[str]) -> int:
    """watcher NAME SOCKET OUTPUT SERVER SECONDS VISITS WORDS: watch the container of the engine at SOCKET through the
    descriptors of its output and its process. Have it looked at every SECONDS after its last client; 0 for never. Note who
    of those that the descriptor VISITS tells of has said more than WORDS bytes; -1 for none.
    watcher --program NAME SERVER SECONDS VISITS WORDS: the same for a program, which systemd watches itself.
    watcher --after NAME: clean up behind one that was killed. The status is for systemd alone."""
    try:
        if arguments[0] == "--after":
            clean_up(Instance(Name(arguments[1])))
        elif arguments[0] == "--program":
            server = int(arguments[2])
            guests = lookout.of(Instance(Name(arguments[1])), arguments[3:])
            guests.wait(server)
            guests.end()
        else:
            output, server = map(int, arguments[2:4])
            instance = Instance(Name(arguments[0]))
            container = Container(instance.container, Engine(arguments[1]), output)
            watch(Watcher(instance, container, server, lookout.of(instance, arguments[4:])))
    except SockwakeError as error:
        print(error, file=sys.stderr)
        return error.status
    return 0


def watch(watcher: Watcher) -> None:
    """Watch until the end; of an unwanted one leave the reason."""
    try:
        watcher.run()
    except SockwakeError as error:
        runtime.leave_failure(watcher.instance, error)
        raise
    finally:
        watcher.lookout.end()


def clean_up(instance: Instance) -> None:
    """After an end that was not asked for: no container runs on unwatched, no proxy leads nowhere."""
    if os.path.exists(instance.ready_file):  # otherwise the proxy is telling its clients why, and must not be disturbed
        runtime.remove(instance.ready_file)
        proxies.end(instance)
    from sockwake import belongings, netns

    if not os.path.exists(instance.failure_file):
        runtime.leave_failure(instance, SockwakeError("its waker was killed"))
    if netns.is_proxys(instance):
        netns.close_off(instance)
    for engine in engines_of(instance):
        if belongings.has_container(engine, instance):
            Container(instance.container, engine).stop(insist="SIGINT" if _has_cluster(instance) else "")
        # the next wake makes its cluster from the start
        belongings.remove_container(engine, instance, instance.init_container)


def _has_cluster(instance: Instance) -> bool:
    """Whether it is a PostgreSQL, which shuts down on SIGINT however often it hears it."""
    try:
        return instance.settings().has_cluster
    except SockwakeError:
        return False
