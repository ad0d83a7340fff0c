"""Wake an instance, then become its watcher: the main process of pg-postgres@NAME.service.

wake() is a wake, from top to bottom. Everything on the way to the ready file is time that a client
waits. What is needed only sometimes is imported where it is.

READY=1 comes early and means "waking, and holding the wake lock". systemd then sets up the proxy's
sandbox while the engine works, instead of behind it: 60 of 350 ms (docs/decisions.md). The proxy
waits for the lock and trusts only the ready file, so that no client gets through before the
database has proven itself.
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
from sockwake.lifecycle import check_timer, proxy_netns, runtime, wakes
from sockwake.lifecycle.monitor import Orders
from sockwake.lifecycle.readiness import await_ready, ended_early
from sockwake.lifecycle.runtime import WAKING
from sockwake.system import journal, pids, process, sdnotify

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.engine.container import Search


class Stopwatch:
    """How long the phases of a wake take."""

    def __init__(self) -> None:
        self.python = time.process_time()  # seconds: starting the interpreter, and importing
        self._marks = [("", time.monotonic())]

    def mark(self, phase: str) -> None:
        """The end of a phase, and the beginning of the next."""
        self._marks.append((phase, time.monotonic()))

    @property
    def total(self) -> float:
        """Seconds from the start of the interpreter to the last mark."""
        return self.python + self._marks[-1][1] - self._marks[0][1]

    def phases(self) -> list[tuple[str, float]]:
        """(name, seconds) of every phase."""
        marks = zip(self._marks, self._marks[1:])
        return [(phase, at - before) for (_, before), (phase, at) in marks]


def main(arguments: list[str]) -> int:
    """waker NAME. Does not return from a wake that succeeds; the status is for systemd alone."""
    # a stop waits until the watcher unmasks its signal: before the image's entrypoint has become
    # PostgreSQL, a container can only be killed
    sdnotify.put_off_ending()
    try:
        wake(Instance(Name(arguments[0])))
    except SockwakeError as error:
        print(error, file=sys.stderr)
        return error.status
    return 0


def wake(instance: Instance) -> None:
    """Wake the instance and become its watcher; return when no client waits.

    Raises what went wrong, with nothing left running, and the reason left for bin/refuse.
    """
    stopwatch = Stopwatch()
    try:
        settings, lock = prepare(instance)
        container = Container(instance.container, Engine.of(settings))
        made_of = instance.fingerprint()
        search = container.search(made_of)  # the engine works while the queue is read
        client = admit(instance, settings, lock)
        if not client:
            return
        is_running = make_missing(instance, settings, container, made_of, search)
        stopwatch.mark("preparation")
        pid = start(instance, settings, container, stopwatch, is_running=is_running)
        announce(instance, settings, lock, pid)
        keep_books(instance, settings, client, stopwatch)
        output = container.hand_over(journal.write)
    except Exception as error:
        journal.aside(runtime.leave_failure, instance, failure(error))
        proxy_netns.lead_somewhere(instance)
        raise
    watched = [f"{output}", f"{process_of(container)}", f"{stop_signal(settings)}"]
    orders = Orders.of(settings).to_argv()
    process.become("watcher", instance.name, container.engine.path, *watched, *orders)


def prepare(instance: Instance) -> tuple[Settings, int]:
    """The instance's settings, and its wake lock, taken: the proxy may start now, and waits for it.

    One that reaches its backend over TCP starts in the container's network, and later (start()).
    """
    runtime.prepare(instance)
    if scope.is_user():
        from sockwake.engine import rootless

        rootless.enter()
    settings = load(instance)
    over_tcp = _is_over_tcp(settings)
    proxy_netns.require_agreement(instance, over_tcp)
    lock = runtime.lock_wake(instance)
    runtime.promise_end(lock, settings)
    if over_tcp:
        proxy_netns.close_off(instance)
    else:
        sdnotify.notify(f"READY=1\nSTATUS={WAKING}")
    return settings, lock


def admit(instance: Instance, settings: Settings, lock: int) -> str:
    """The client to wake for, or "" when there is none.

    Then the connections in the queue have been closed, and the wake lock has been released.
    """
    client = connections.awaited(settings)
    if not client:
        from sockwake.lifecycle import handover

        client = handover.asked_or_turned_away(instance, settings, lock)
    if client:
        allowlist.require_enforced(settings)
    return client


def make_missing(
    instance: Instance, settings: Settings, container: Container, made_of: str, search: Search
) -> bool:
    """Take the data, and make the cluster, container and certificate that are missing or outdated.

    Returns whether the container runs already.
    """
    if settings.data:
        if not _has_data(instance, settings):
            from sockwake.lifecycle import first_wake  # once in the life of an instance

            first_wake.settle(instance, settings)
        data_lock = runtime.take_data(instance, settings.data)
        os.set_inheritable(data_lock, True)  # held until the watcher ends
    if _has_data(instance, settings) and (found := search.result()).is_current:
        is_running = found.is_running
    else:
        from sockwake.lifecycle import provision  # 30 ms, when there is something to make

        is_running = provision.make_for_wake(instance, settings, container, made_of)
    if not is_running:
        runtime.require_unserved(settings)
    if settings.has_cluster:
        runtime.lend_backend(instance, settings)
    if settings.tls:
        from sockwake.postgres import tls

        tls.place(instance, settings)
    return is_running


def _has_data(instance: Instance, settings: Settings) -> bool:
    """Whether nothing is to be made for it, as far as a look tells."""
    if os.path.exists(instance.uninitialised_file):
        return False
    place = f"{settings.cluster}/PG_VERSION" if settings.has_cluster else settings.data
    return not place or os.path.exists(place)


def start(
    instance: Instance,
    settings: Settings,
    container: Container,
    stopwatch: Stopwatch,
    *,
    is_running: bool,
) -> int:
    """Start the container and wait for the proof that it serves; stop it when anything goes wrong.

    Returns the process whose network the proxy has to enter by itself, or 0.
    """
    try:
        _start_container(instance, settings, container, is_running=is_running)
        if _is_over_tcp(settings):
            _lead_proxy(instance, settings, container)
            sdnotify.notify(f"READY=1\nSTATUS={WAKING}")
        stopwatch.mark("engine")
        await_ready(container, instance, settings, journal.write)
        enters_by_itself = settings.backend_port and scope.is_user()
        pid = container.pid() if enters_by_itself else 0
        stopwatch.mark(settings.kind)
    except BaseException:
        container.give_up(journal.write)
        raise
    return pid


def _start_container(
    instance: Instance, settings: Settings, container: Container, *, is_running: bool
) -> None:
    """Start it; when what it needs was pruned it is made anew, once."""
    try:
        container.start(settings.start_timeout, is_running=is_running, insist=settings.fast_stop)
    except EngineError as error:
        if not error.is_of_something_missing:
            raise
        from sockwake.lifecycle import provision

        journal.say(f"made anew: {error.whole}")
        provision.make_anew(instance, settings, container)
        container.start(settings.start_timeout)


def announce(instance: Instance, settings: Settings, lock: int, pid: int) -> None:
    """Let the proxy go ahead."""
    runtime.announce_ready(instance, settings, pid)
    os.close(lock)


def keep_books(instance: Instance, settings: Settings, client: str, stopwatch: Stopwatch) -> None:
    """Do what can wait until clients are served. None of it can fail a wake that has succeeded."""
    is_trial = os.path.exists(instance.trial_file)
    if client in connections.UNSEEN and not is_trial:
        from sockwake.lifecycle import asker  # late: clients need not wait for it

        client = asker.of_wake(instance, settings, client, stopwatch.total)
    journal.aside(_tell, instance, "" if is_trial else client, stopwatch)
    if not sdnotify.is_asked_to_end():  # the timer would hold awake what shall stop
        journal.aside(check_timer.start, instance, settings)
    journal.aside(allowlist.note_dropped, instance, settings)
    if not is_trial:
        journal.aside(wakes.note, instance, client, stopwatch.total)
    if os.path.exists(f"{instance.password_file}.new"):
        from sockwake.lifecycle import begun

        journal.aside(begun.settle, instance)


def _tell(instance: Instance, client: str, stopwatch: Stopwatch) -> None:
    phases = wakes.phases([("python", stopwatch.python), *stopwatch.phases()])
    told = wakes.tell(instance, client, stopwatch.total, phases)
    journal.aside(sdnotify.notify, f"STATUS={told}")


def _is_over_tcp(settings: Settings) -> bool:
    """Whether systemd starts the proxy in the container's network; a user's enters it by itself."""
    return bool(settings.backend_port) and not scope.is_user()


def _lead_proxy(instance: Instance, settings: Settings, container: Container) -> None:
    """Lead the proxy, and no other process, to the container's port.

    A container that ends at once takes its namespace with it, long before the engine knows.
    """
    from sockwake.system import iprule

    pid = container.pid()
    try:
        iprule.seclude(pid, settings.backend_port)
        proxy_netns.lead_to(instance, pid)
    except SockwakeError:
        if os.path.exists(f"/proc/{pid}/ns/net"):
            raise
        while container.relay(journal.write):
            pass
        raise ended_early(container) from None


def process_of(container: Container) -> int:
    """A descriptor of the container's process 1, for the watcher; -1 when it has ended already."""
    try:
        pid = container.pid()
        server = pids.open_checked(pid, lambda: container.pid() == pid)
    except (EngineError, OSError):
        return pids.NONE
    if server != pids.NONE:
        os.set_inheritable(server, True)
    return server


def stop_signal(settings: Settings) -> int:
    """The signal that ends the container's process 1 in order; PostgreSQL: with its sessions.

    Chosen now: by then instance.env may be broken.
    """
    return int(_signal.SIGINT if settings.has_cluster else _signal.SIGTERM)
