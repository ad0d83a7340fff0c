"""Containers of an instance that run though no client woke it: started by hand, in the engine."""

from __future__ import annotations

import fcntl
import os

from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.engine import project_containers
from sockwake.engine.container import Container
from sockwake.engine.resources import engines_of
from sockwake.lifecycle import runtime
from sockwake.system import journal, systemctl


def stop(instance: Instance, settings: Settings) -> None:
    """Stop them, unless the instance wakes or is awake.

    Raises SockwakeError when the engine cannot. The wake lock is held: a wake that begins meanwhile
    waits.
    """
    runtime.make_directories(instance)
    lock = os.open(instance.wake_lock, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not systemctl.is_down(instance.backend_unit):
            return
        for engine in engines_of(settings):
            found = project_containers.running(engine, instance)
            if not found:
                continue
            if settings.is_project:
                project_containers.stop_all(engine, instance)
            else:
                container = Container(instance.container, engine)
                container.stop(insist=settings.fast_stop)
            journal.say(f"stopped {', '.join(found)}, which ran though no client had woken it")
    except BlockingIOError:
        pass  # a wake has it
    finally:
        os.close(lock)
