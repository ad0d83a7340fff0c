"""Clean up behind a backend that has not ended in order: ExecStopPost= of pg-postgres@NAME.service.

A module of its own: the watcher keeps loaded all it may ever need, and this is as much again.

A backend whose whole cgroup has been killed (`systemctl kill --signal=KILL`, systemd-oomd) is
cleaned up by another unit, sockwake-aftermath.service: the kernel then kills whatever systemd
starts in that cgroup, ExecStopPost= too (seen with systemd 257 on Linux 6.18).
"""

import fcntl
import os
import sys
import time

from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings, load_if_valid
from sockwake.engine import belongings, project_containers
from sockwake.engine.api import Engine
from sockwake.engine.container import Container
from sockwake.engine.resources import engines_of
from sockwake.errors import SockwakeError
from sockwake.lifecycle import holds, program_end, proxy, proxy_netns, runtime, unclean, wakes
from sockwake.lifecycle.unclean import Unclean
from sockwake.system import files, journal, sdnotify, systemctl

_CHANGES = 3  # seconds in which one that is started over and over is seen failed
_LOOK_EVERY = 0.01  # seconds
_NEVER_READY = 5  # seconds to end for a container without clients: the next client waits for it


def main(arguments: list[str]) -> int:
    """cleanup NAME, or cleanup --after-kill. The status is for systemd alone."""
    sdnotify.put_off_ending()  # nothing cleans up behind this
    try:
        if arguments[0] == "--after-kill":
            clean_up_killed()
            tell_unstarted()
        else:
            clean_up(Instance(Name(arguments[0])))
    except SockwakeError as error:
        print(error, file=sys.stderr)
        return error.status
    return 0


def clean_up(instance: Instance, not_run: str = "") -> None:
    """Stop the container, which has no watcher any more, and end the proxy.

    not_run: why systemd could not run what starts it, if it could not.
    """
    # without a ready file the proxy may be telling its clients why, and must not be disturbed
    was_ready = os.path.exists(instance.ready_file)
    runtime.withdraw_ready(instance)
    proxy.hang_up(instance, only_serving=not was_ready)
    if not_run or not any(map(os.path.exists, (instance.failure_file, instance.nobody_file))):
        what = "cannot be run" if not_run else "was killed"
        failed = SockwakeError(f"the service that starts it {what}", said=not_run)
        journal.aside(runtime.leave_failure, instance, failed)
    if was_ready:
        journal.aside(wakes.record_sleep, instance, None, "the service that starts it was killed")
    if proxy_netns.is_proxys(instance):
        journal.aside(proxy_netns.close_off, instance)
    known = load_if_valid(instance)
    for engine in _engines(known):
        is_project = known is not None and known.is_project
        if not is_project and belongings.has_container(engine, instance):
            _stop(instance, known, Container(instance.container, engine))
        if is_project or not known:  # a broken file may be a project's
            project_containers.stop_all(engine, instance)
        # the next wake makes its cluster from the start
        belongings.remove_container(engine, instance, instance.init_container)
    files.remove(instance.ending_file)
    journal.aside(holds.start_again, instance)


def _engines(known: Settings | None) -> list[Engine]:
    """Engines that may run its container: an edit may have given it another runtime meanwhile.

    Or another engine. Its own comes last, which may not answer.
    """
    own = engines_of(known) if known else []
    others = [each for each in engines_of(None) if each.path not in [one.path for one in own]]
    return others + own


def _stop(instance: Instance, known: Settings | None, container: Container) -> None:
    """Stop it with all the time it may take.

    But for one that is no database and was never ready: it may not handle its stop signal yet.
    """
    if _has_cluster(instance, known):
        container.stop(insist="SIGINT")
    elif os.path.exists(instance.ending_file):
        container.stop()
    else:
        container.stop(_NEVER_READY)


def clean_up_killed() -> None:
    """Clean up behind every backend whose cgroup was killed, or of which systemd could run nothing.

    And behind those of which that becomes known meanwhile. One that takes its socket itself, and is
    on its way to or from that, is looked at for some seconds.
    """
    done: set[str] = set()
    latest = time.monotonic() + _CHANGES
    while True:
        failed, changing = unclean.look()
        found = [each for each in failed if each.unit not in done]
        for each in found:
            journal.aside(_clean_up_killed, each)
            done.add(each.unit)
        if found:
            continue
        natives = [unit for unit in changing if unit not in done and _takes_socket(_of(unit))]
        if not natives or time.monotonic() > latest:
            return
        time.sleep(_LOOK_EVERY)


def tell_unstarted() -> None:
    """Have proxies tell their clients that systemd has not started their backend."""
    for unit, why in unclean.without_backend().items():
        instance = _of(unit)
        if os.path.ismount(instance.netns):
            continue  # a proxy finds one by now, and a reason
        runtime.make_directories(instance)
        files.remove(instance.nobody_file)  # of a wake before
        problem = SockwakeError("systemd has not started its service", said=why)
        journal.aside(runtime.leave_failure, instance, problem)
        journal.aside(proxy_netns.lead_somewhere, instance)


def _of(unit: str) -> Instance:
    return Instance(Name(unit.partition("@")[2].removesuffix(".service")))


def _takes_socket(instance: Instance) -> bool:
    known = load_if_valid(instance)
    return known is not None and known.is_native


def _clean_up_killed(found: Unclean) -> None:
    """Clean up with the wake lock taken, so that the next wake waits, unless that has begun.

    One that takes its socket itself has no such lock.
    """
    instance = _of(found.unit)
    known = load_if_valid(instance)
    is_native = known is not None and known.is_native
    runtime.make_directories(instance)
    lock = os.open(instance.wake_lock, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not is_native:
            failed, _ = unclean.look(found.unit)
            if not failed:
                return
            found = failed[0]
        os.environ.update(found.environment())
        not_run = unclean.why_not_run(found.run, found.result, found.status)
        if not_run:
            files.remove(instance.nobody_file)  # of a wake before
        is_bundled = runtime.is_crun(instance) and program_end.is_of_crun(instance, found.run)
        if is_bundled or _is_program(instance):
            what = "server" if _has_cluster(instance, known) else "program"
            program_end.clean_up(instance, "container" if is_bundled else what)
            if known and is_native:
                _refuse(instance, known)
        else:
            clean_up(instance, not_run)
        systemctl.reset(instance.backend_unit)
    except BlockingIOError:
        pass
    finally:
        os.close(lock)


def _refuse(instance: Instance, settings: Settings) -> None:
    """Tell the clients of one that takes its socket itself: it would be started for them again."""
    from sockwake.service import refuse, turn_away

    sentence = refuse.reason(instance.name, instance.failure_file)
    if count := refuse.refuse(turn_away.sockets(settings), sentence):
        refuse.tell(count, sentence)


def _is_program(instance: Instance) -> bool:
    """Whether systemd runs the backend itself, by its files: instance.env may be what is broken."""
    return os.path.exists(instance.service_file) and not os.path.exists(instance.compose_file)


def _has_cluster(instance: Instance, known: Settings | None) -> bool:
    """Whether it is a PostgreSQL, which can be sent SIGINT time and again while it shuts down.

    Of an instance.env that is broken the line KIND= counts.
    """
    if known:
        return known.has_cluster
    return "KIND=postgres" in files.text_of(instance.env_file).splitlines()
