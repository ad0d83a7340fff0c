"""The main process of pg-postgres@NAME.service while the database is awake: carries its log, puts it to sleep.

The waker becomes this by exec, which leaves behind what waking needed in memory: 8 MB stay for as long as the
instance is awake, whether the waker only started a container (10 MB) or had to make one first (20 MB).
"""

from __future__ import annotations

import _signal  # type: ignore  # the typeshed has no stub for it
import os
import select
import sys
import time

from sockwake import journal, manager, proxies, runtime
from sockwake.container import Container
from sockwake.engine import Engine, engines_of
from sockwake.errors import SockwakeError
from sockwake.instance import Instance, Name

_LONGEST_POLL = 2**31 - 1  # ms, 24 days; poll(2)
_LAST_WORDS = 5  # seconds the engine may take to pass on what a container that has ended wrote


class Watcher:
    """One instance that is awake. server: what can be read when the container's process 1 has ended (pidfd_open(2)); the
    kernel tells long before the engine."""

    def __init__(
        self, instance: Instance, container: Container, server: int, forsaken: Forsaken | None, guests: Guests | None
    ) -> None:
        self.instance = instance
        self.container = container
        self.forsaken = forsaken
        self.guests = guests
        self.stopping = False
        self._server = server
        self._catch_sigterm()

    def run(self) -> None:
        """Carry the log until a stop is asked for and done; raises SockwakeError when the container ends by itself."""
        patience = self.forsaken.patience if self.forsaken else None
        while not self.stopping:
            ready = readable(
                self._wakeup, self.container.fd, self._server, self.guests.fd if self.guests else -1, timeout=patience
            )
            if not ready and self.forsaken:
                self.forsaken.look()
            if self.guests and self.guests.fd in ready:
                self.guests.see_off()
            if self._server in ready or (self.container.fd in ready and not self.container.relay(journal.write)):
                self._lose_container()
        runtime.remove(self.instance.ready_file)
        answer = self.container.begin_stop()
        while answer.fileno() not in readable(answer.fileno(), self.container.fd):
            self.container.relay(journal.write)
        self.container.engine.finish(answer)
        while self.container.relay(journal.write):
            pass
        from sockwake import netns

        netns.forget(self.instance)
        journal.say("asleep")

    def _lose_container(self) -> None:
        """The container has ended unasked; raises SockwakeError with the reason.

        From its first word on systemd holds back the next wake until this process has ended, and does not take the
        backend for one that runs.
        """
        manager.notify("STOPPING=1")
        runtime.remove(self.instance.ready_file)
        proxies.end(self.instance)
        while readable(self.container.fd, timeout=_LAST_WORDS) and self.container.relay(journal.write):
            pass
        raise SockwakeError(self.container.how_it_ended())

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
    descriptors of its output and its process. Look every SECONDS whether its proxy is forsaken; 0 for never. Note who of
    those that the descriptor VISITS tells of has said more than WORDS bytes; -1 for none.
    watcher --after NAME: clean up behind one that was killed. The status is for systemd alone."""
    try:
        if arguments[0] == "--after":
            clean_up(Instance(Name(arguments[1])))
        else:
            output, server, patience, visits, words = map(int, arguments[2:])
            instance = Instance(Name(arguments[0]))
            container = Container(instance.container, Engine(arguments[1]), output)
            forsaken = Forsaken(instance, patience) if patience else None
            watch(
                Watcher(instance, container, server, forsaken, Guests(instance, visits, words) if visits >= 0 else None)
            )
    except SockwakeError as error:
        print(error, file=sys.stderr)
        return error.status
    return 0


def watch(watcher: Watcher) -> None:
    """Watch until the end; of an unwanted one leave the reason."""
    try:
        watcher.run()
    except SockwakeError as error:
        runtime.replace(watcher.instance.failure_file, f"{error.message}\n")
        raise


def clean_up(instance: Instance) -> None:
    """After an end that was not asked for: no container runs on unwatched, no proxy leads nowhere."""
    if os.path.exists(instance.ready_file):  # otherwise the proxy is telling its clients why, and must not be disturbed
        runtime.remove(instance.ready_file)
        proxies.end(instance)
    from sockwake import netns

    if not os.path.exists(instance.failure_file):
        runtime.replace(instance.failure_file, "its waker was killed\n")
    if netns.is_proxys(instance):
        netns.close_off(instance)
    for engine in engines_of(instance):
        Container(instance.container, engine).stop()


class Forsaken:
    """A proxy that nobody has connected through, because it was started by hand, or started anew.

    It would stay for ever: systemd-socket-proxyd begins to count when a connection closes. So one is made and closed.
    An instance with a check does not need this: that looks at the proxy, too.
    patience: seconds until the next look, longer than any proxy that does count has left.
    """

    def __init__(self, instance: Instance, patience: int) -> None:
        self.instance = instance
        self.patience = patience
        self._was_quiet = False

    def look(self) -> None:
        """Nobody at two looks running is nobody in between, too, or the proxy would not be here any more."""
        from sockwake import clients

        try:
            settings = self.instance.settings()
        except SockwakeError:
            return
        was_quiet, self._was_quiet = self._was_quiet, clients.connected(settings) == 0
        if was_quiet and self._was_quiet:
            clients.knock(settings)


class Guests:
    """Who has been connected: notes when the last who said something left, which is what the check goes by, and says of
    the others that they were here. Otherwise whoever only connects, time and again, would keep the instance awake.

    visits: the descriptor of visits.listen(). words: bytes that are no more than a goodbye, or less than any client says.
    """

    def __init__(self, instance: Instance, visits: int, words: int) -> None:
        self.fd = visits
        self._words = words
        self._note = os.open(instance.last_visit, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._take_note()

    def see_off(self) -> None:
        from sockwake import visits

        spoken = False
        try:
            for visit, said in visits.read(self.fd):
                if said > self._words:
                    spoken = True
                else:
                    journal.say(f"{visits.client_of(visit)} came and said nothing")
        except OSError:  # there were more than could be told of
            spoken = True
        if spoken:
            self._take_note()

    def _take_note(self) -> None:
        os.pwrite(self._note, f"{time.monotonic():017.3f}\n".encode(), 0)


def readable(*fds: int, timeout: int | None = None) -> set[int]:
    """Wait until some of fds can be read or have ended, and return those; a negative one never does.

    timeout: seconds after which it returns none.
    """
    poll = select.poll()
    for fd in fds:
        if fd >= 0:
            poll.register(fd, select.POLLIN)
    return {fd for fd, _ in poll.poll(None if timeout is None else min(timeout * 1000, _LONGEST_POLL))}
