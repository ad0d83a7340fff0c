"""The main process of pg-postgres@NAME.service: wakes the container, watches it, puts it to sleep.

Everything on the way to the ready file is time a client waits. What is needed only sometimes is imported there.

READY=1 comes early and means "waking, and holding the wake lock". systemd then sets up the proxy's sandbox
while the engine works, instead of behind it: 60 of 350 ms (docs/decisions.md). The proxy waits for the lock
and believes only the ready file, so no client gets through before the database has proven itself.
"""

from __future__ import annotations

import _signal
import _socket
import os
import select
import sys
import time

from sockwake import clients, runtime
from sockwake.container import Container, fingerprint
from sockwake.engine import Engine
from sockwake.errors import SockwakeError
from sockwake.instance import Instance, Name, Settings


class Waker:
    """One wake of one instance, from the start job of its unit to the end of its container."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.stopping = False
        self._python = time.process_time()  # seconds; what starting the interpreter and importing took
        self._marks = [("", time.monotonic())]

    def run(self) -> None:
        """Wake, serve until told to stop or until the container ends, sleep. Raises SockwakeError for an unwanted end."""
        self._catch_sigterm()
        settings = self.instance.settings()
        runtime.prepare(self.instance)
        waking = runtime.lock_wake(self.instance)
        notify("READY=1\nSTATUS=waking")
        cluster = runtime.lock_data(settings.data)
        container = self._current_container(settings)
        try:
            self._mark("preparation")
            container.start()
            self._mark("engine")
            client = clients.waiting(settings)
            container.await_ready(write_log)
            self._mark("postgres")
        except SockwakeError:
            container.give_up()
            raise
        self._announce(settings, client)
        os.close(waking)
        self._serve(container)
        os.close(cluster)

    def _catch_sigterm(self) -> None:
        """A stop is a byte in a pipe: nothing is interrupted half-way, and poll() sees it."""
        self._wakeup, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        _signal.set_wakeup_fd(writer)
        _signal.signal(_signal.SIGTERM, self._on_sigterm)

    def _on_sigterm(self, _signal_number: int, _frame: object) -> None:
        self.stopping = True

    def _current_container(self, settings: Settings) -> Container:
        """The container as the files want it, made anew when they changed, and the cluster when it was never made."""
        container = Container(self.instance, settings, Engine())
        made_of = fingerprint(self.instance.env_file, self.instance.compose_file)
        initialised = os.path.exists(f"{settings.cluster}/PG_VERSION") and not os.path.exists(self.instance.uninitialised_file)
        if not initialised or not container.is_current(made_of):
            from sockwake import provision  # 30 ms, when there is something to make

            provision.make_what_is_missing(self.instance, settings, container, made_of, write_log)
        return container

    def _announce(self, settings: Settings, client: str) -> None:
        """Tell the proxy to go ahead and how long to stay, systemd and the journal what it took."""
        idle = "infinity" if settings.idle == float("inf") else f"{settings.idle:.0f}"
        runtime.replace(self.instance.ready_file, f"{idle}\n")
        phases = ", ".join(f"{what} {1000 * took:.0f}" for what, took in self._phases())
        total = self._python + self._marks[-1][1] - self._marks[0][1]
        woken = f"woken by {client} in {1000 * total:.0f} ms"
        notify(f"STATUS={woken}")
        say(f"{woken} (python {1000 * self._python:.0f}, {phases})")

    def _serve(self, container: Container) -> None:
        """Carry the log until a stop is asked for and done; raises SockwakeError when the container ends by itself."""
        while not self.stopping:
            if container.fd in readable(self._wakeup, container.fd) and not container.relay(write_log):
                runtime.remove(self.instance.ready_file)
                release_clients(self.instance)
                raise SockwakeError(container.how_it_ended())
        runtime.remove(self.instance.ready_file)
        answer = container.begin_stop()
        while answer.fileno() not in readable(answer.fileno(), container.fd):
            container.relay(write_log)
        container.engine.finish(answer)
        while container.relay(write_log):
            pass
        say("asleep")

    def _mark(self, what: str) -> None:
        self._marks.append((what, time.monotonic()))

    def _phases(self) -> list[tuple[str, float]]:
        """(name, seconds) of every phase of the wake."""
        return [(what, at - before) for (_, before), (what, at) in zip(self._marks, self._marks[1:])]


def main(arguments: list[str]) -> int:
    """waker NAME, or waker --after NAME for what a killed one left. The status is for systemd alone."""
    try:
        instance = Instance(Name(arguments[-1]))
        if arguments[0] == "--after":
            clean_up(instance)
        else:
            wake(instance)
    except SockwakeError as error:
        print(error, file=sys.stderr)
        return error.status
    return 0


def wake(instance: Instance) -> None:
    """Run one wake; when it fails, leave the reason where the refusing program finds it."""
    try:
        Waker(instance).run()
    except SockwakeError as error:
        runtime.replace(instance.failure_file, f"{error.message}\n")
        raise
    except OSError as error:
        runtime.replace(instance.failure_file, f"{error}\n")
        raise SockwakeError(str(error)) from error


def clean_up(instance: Instance) -> None:
    """After a waker that was killed: its container must not run on unwatched, nor its proxy lead nowhere."""
    runtime.remove(instance.ready_file)
    release_clients(instance)
    runtime.replace(instance.failure_file, "its waker was killed\n")
    Container(instance, instance.settings(), Engine()).stop()


def release_clients(instance: Instance) -> None:
    """End the proxy of a backend that is gone, so that the next client wakes everything.

    A signal and not a stop job: a job would also cancel the start that the next client has already asked for.
    """
    from sockwake import systemctl

    systemctl.signal(instance.proxy_unit)


def readable(*fds: int) -> set[int]:
    """Wait until some of fds can be read or have ended, and return those; a negative one never does."""
    poll = select.poll()
    for fd in fds:
        if fd >= 0:
            poll.register(fd, select.POLLIN)
    return {fd for fd, _ in poll.poll()}


def write_log(text: bytes) -> None:
    """The container's words go to the journal as they are."""
    while text:
        text = text[os.write(1, text) :]


def say(sentence: str) -> None:
    write_log(f"sockwake: {sentence}\n".encode())


def notify(state: str) -> None:
    """sd_notify(3), as far as it is needed."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
    sock.sendto(state.encode(), "\0" + path[1:] if path.startswith("@") else path)
    sock.close()
