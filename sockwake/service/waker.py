"""The main process of pg-postgres@NAME.service until the database is ready; then it becomes the watcher.

Everything on the way to the ready file is time a client waits. What is needed only sometimes is imported there.

READY=1 comes early and means "waking, and holding the wake lock". systemd then sets up the proxy's sandbox
while the engine works, instead of behind it: 60 of 350 ms (docs/decisions.md). The proxy waits for the lock
and believes only the ready file, so no client gets through before the database has proven itself. A proxy
that reaches its backend over TCP needs the container's network namespace, and has to wait for the engine.
"""

from __future__ import annotations

import _signal  # type: ignore  # the typeshed has no stub for it
import os
import sys
import time

from sockwake.clients import allowlist, connections
from sockwake.config import scope
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings, load
from sockwake.engine.api import Engine, EngineError
from sockwake.engine.container import Container
from sockwake.errors import SockwakeError, failure
from sockwake.lifecycle import check_timer, monitor, proxy_netns, runtime
from sockwake.lifecycle.readiness import await_ready
from sockwake.lifecycle.runtime import WAKING
from sockwake.system import files, journal, pids, process, sdnotify

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.engine.container import Search


class Waker:
    """One wake of one instance."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self._python = (
            time.process_time()
        )  # seconds; what starting the interpreter and importing took
        self._marks = [("", time.monotonic())]

    def run(self) -> Container | None:
        """Wake the instance, unless nobody is there to wake for; raises SockwakeError with nothing left running."""
        runtime.prepare(self.instance)
        if scope.is_user():
            from sockwake.engine import rootless

            rootless.enter()
        settings = self._settings = load(self.instance)
        over_tcp = bool(settings.backend_port) and not scope.is_user()
        proxy_netns.require_agreement(self.instance, over_tcp)
        waking = runtime.lock_wake(self.instance)
        runtime.promise_end(waking, settings)
        if over_tcp:
            proxy_netns.close_off(self.instance)
        else:
            sdnotify.notify(f"READY=1\nSTATUS={WAKING}")
        container = Container(self.instance.container, Engine.of(settings))
        made_of = self.instance.fingerprint()
        search = container.search(made_of)  # the engine works while the queues are read
        client = connections.awaited(settings)
        if not client:
            self._turn_away(waking)
            return None
        allowlist.require_enforced(settings)
        if settings.data:
            os.set_inheritable(
                runtime.take_data(self.instance, settings.data), True
            )  # held until the watcher ends
        is_running = self._make_what_is_missing(settings, container, made_of, search)
        if settings.tls:
            from sockwake.postgres import tls

            tls.place(self.instance, settings)
        try:
            self._mark("preparation")
            container.start(settings.start_timeout, is_running=is_running)
            if over_tcp:
                self._lead_proxy(container)
                sdnotify.notify(f"READY=1\nSTATUS={WAKING}")
            self._mark("engine")
            await_ready(container, self.instance, settings, journal.write)
            pid = container.pid() if settings.backend_port and scope.is_user() else 0
            self._mark(settings.kind)
        except BaseException:
            container.give_up()
            raise
        runtime.announce_ready(self.instance, settings, pid)
        os.close(waking)
        self._keep_books(settings, client)
        return container

    def _turn_away(self, waking: int) -> None:
        """Take the listening sockets from the proxy and close the connections that are no clients."""
        from sockwake.lifecycle.handover import Handover

        # kept: the proxy may end only when this process has, or a client that comes then would find it as it ends
        self._handover = Handover(self.instance)
        sdnotify.notify("READY=1\nSTATUS=turning away who is no client")
        os.close(waking)
        self._handover.turn_away(self._settings)
        self._handover.close()
        proxy_netns.forget(self.instance)

    def _lead_proxy(self, container: Container) -> None:
        """Lead the proxy, and nobody else, to the container's port.

        Its namespace goes with a container that ends at once, which the engine is the last to know.
        """
        from sockwake.system import iprule

        pid = container.pid()
        try:
            iprule.seclude(pid, self._settings.backend_port)
            proxy_netns.lead_to(self.instance, pid)
        except SockwakeError:
            if os.path.exists(f"/proc/{pid}/ns/net"):
                raise
            while container.relay(journal.write):
                pass
            raise container.how_it_ended() from None

    def _make_what_is_missing(
        self, settings: Settings, container: Container, made_of: str, search: Search
    ) -> bool:
        """Make the container anew when the files changed, and the cluster when it was never made.

        Returns whether the container is running already.
        """
        initialised = not os.path.exists(self.instance.uninitialised_file) and (
            not settings.has_cluster or os.path.exists(f"{settings.cluster}/PG_VERSION")
        )
        if initialised and (found := search.result()).is_current:
            return found.is_running
        from sockwake.lifecycle import provision  # 30 ms, when there is something to make

        return provision.make_what_is_missing(
            self.instance, settings, container, made_of, journal.write
        )

    def _keep_books(self, settings: Settings, client: str) -> None:
        """What can wait until clients are served. None of it ends a wake that has succeeded."""
        journal.aside(self._say_what_it_took, client)
        if not sdnotify.ENDING & _signal.sigpending():  # it would hold awake what shall stop
            journal.aside(check_timer.start, self.instance, settings)
        journal.aside(allowlist.note_dropped, self.instance, settings)

    def _say_what_it_took(self, client: str) -> None:
        phases = ", ".join(f"{what} {1000 * took:.0f}" for what, took in self._phases())
        total = self._python + self._marks[-1][1] - self._marks[0][1]
        journal.aside(files.replace_volatile, self.instance.wake_file, f"{total:.3f}\n")
        woken = f"woken by {client} in {1000 * total:.0f} ms"
        journal.aside(sdnotify.notify, f"STATUS={woken}")
        journal.say(f"{woken} (python {1000 * self._python:.0f}, {phases})")

    def orders(self) -> list[str]:
        """Command-line arguments for the monitor of its clients."""
        return monitor.told(self._settings)

    def stop_signal(self) -> int:
        """What ends its process 1 in order; of a PostgreSQL without waiting for its clients."""
        return int(_signal.SIGINT if self._settings.has_cluster else _signal.SIGTERM)

    def process(self, container: Container) -> int:
        """A descriptor of its process 1, or -1 when that has ended already; its output will tell."""
        try:
            pid = container.pid()
            server = pids.open_checked(pid, lambda: container.pid() == pid)
        except (EngineError, OSError):
            return pids.NONE
        if server != pids.NONE:
            os.set_inheritable(server, True)
        return server

    def _mark(self, what: str) -> None:
        self._marks.append((what, time.monotonic()))

    def _phases(self) -> list[tuple[str, float]]:
        """(name, seconds) of every phase of the wake."""
        return [
            (what, at - before) for (_, before), (what, at) in zip(self._marks, self._marks[1:])
        ]


def main(arguments: list[str]) -> int:
    """waker NAME. Does not return when it has woken the instance; the status is for systemd alone."""
    # A stop that is asked for meanwhile has to wait, for the watcher to take its signal off the mask: before the
    # image's entrypoint has become PostgreSQL, a container cannot be stopped but by killing it.
    sdnotify.put_off_ending()
    try:
        wake(Instance(Name(arguments[0])))
    except SockwakeError as error:
        print(error, file=sys.stderr)
        return error.status
    return 0


def wake(instance: Instance) -> None:
    """Wake, and become the watcher, unless there is nobody to wake for; when it fails, leave the reason where the refusing program finds it."""
    try:
        waker = Waker(instance)
        container = waker.run()
        if not container:
            return
        stream = container.hand_over(journal.write)
    except Exception as error:
        journal.aside(runtime.leave_failure, instance, failure(error))
        proxy_netns.lead_somewhere(instance)
        raise
    server = [f"{stream}", f"{waker.process(container)}", f"{waker.stop_signal()}"]
    process.become("watcher", instance.name, container.engine.path, *server, *waker.orders())
