"""What is done behind a waker or watcher that has not ended in order: ExecStopPost= of pg-postgres@NAME.service.

A module of its own: the watcher loads for the whole time what it may ever need, and this is as much again.

And what is done behind a backend of any kind whose whole cgroup has been killed (`systemctl kill --signal=KILL`, systemd-oomd):
the kernel then kills whatever systemd starts in it, ExecStopPost= too (seen with systemd 257 on Linux 6.18). So another unit
does it, sockwake-aftermath.service.
"""

import fcntl
import os
import sys

from sockwake.config import settings
from sockwake.config.instance import Instance, Name
from sockwake.engine import belongings, project_containers
from sockwake.engine.container import Container
from sockwake.engine.resources import engines_of
from sockwake.errors import SockwakeError
from sockwake.lifecycle import proxy, proxy_netns, runtime
from sockwake.service import program
from sockwake.system import files, journal, sdnotify, systemctl

_NEVER_READY = (
    5  # seconds for a container to end that no client has been led to; the next one waits for that
)


def main(arguments: list[str]) -> int:
    """cleanup NAME, or cleanup --after-kill. The status is for systemd alone."""
    sdnotify.put_off_ending()  # what it does nobody would do after it
    try:
        if arguments[0] == "--after-kill":
            clean_up_killed()
        else:
            clean_up(Instance(Name(arguments[0])))
    except SockwakeError as error:
        print(error, file=sys.stderr)
        return error.status
    return 0


def clean_up(instance: Instance) -> None:
    """No container runs on unwatched, and no proxy leads nowhere."""
    # without a ready file a proxy may be telling its clients why, and must not be disturbed
    was_ready = os.path.exists(instance.ready_file)
    runtime.withdraw_ready(instance)
    proxy.hang_up(instance, only_serving=not was_ready)
    if not os.path.exists(instance.failure_file):
        journal.aside(
            runtime.leave_failure, instance, SockwakeError("the service that starts it was killed")
        )
    if proxy_netns.is_proxys(instance):
        journal.aside(proxy_netns.close_off, instance)
    known = settings.load_if_valid(instance)
    for engine in engines_of(known):
        if known and known.is_project:
            project_containers.stop_all(engine, instance)
        elif belongings.has_container(engine, instance):
            _stop(instance, Container(instance.container, engine))
        # the next wake makes its cluster from the start
        belongings.remove_container(engine, instance, instance.init_container)
    files.remove(instance.ending_file)


def _stop(instance: Instance, container: Container) -> None:
    """Stop it with all the time it may take, unless it is no database and was never ready: it may not hear a signal yet."""
    if _has_cluster(instance):
        container.stop(insist="SIGINT")
    elif os.path.exists(instance.ending_file):
        container.stop()
    else:
        container.stop(_NEVER_READY)


def clean_up_killed() -> None:
    """Behind each backend behind which nothing else could; one more may have failed meanwhile."""
    done: set[str] = set()
    while units := set(systemctl.not_cleaned_up()) - done:
        for unit in units:
            journal.aside(
                _clean_up_killed, Instance(Name(unit.partition("@")[2].removesuffix(".service")))
            )
        done |= units


def _clean_up_killed(instance: Instance) -> None:
    """With the lock of the next wake, which waits for this; unless that has begun already."""
    runtime.make_directories(instance)
    lock = os.open(instance.wake_lock, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if instance.backend_unit not in systemctl.not_cleaned_up():
            return
        if _is_program(instance):
            os.environ.update(
                SERVICE_RESULT="signal", EXIT_CODE="killed", EXIT_STATUS="KILL"
            )  # systemd.exec(5)
            program.clean_up(instance)
        else:
            clean_up(instance)
        systemctl.reset(instance.backend_unit)
    except BlockingIOError:
        pass
    finally:
        os.close(lock)


def _is_program(instance: Instance) -> bool:
    return os.path.exists(instance.service_file) and not os.path.exists(instance.compose_file)


def _has_cluster(instance: Instance) -> bool:
    """Whether it is a PostgreSQL, which shuts down on SIGINT however often it hears it. Of a broken instance.env, what it
    says first counts."""
    try:
        return settings.load(instance).has_cluster
    except SockwakeError:
        return "KIND=postgres" in files.text_of(instance.env_file).splitlines()
