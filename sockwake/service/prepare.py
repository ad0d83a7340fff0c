"""Make what a wake by crun lacks: the cluster, or a bundle of the files as they are now.

bin/container becomes this when it has nothing to run, and this becomes bin/container again. The
proxy waits meanwhile, as long as that takes.
"""

from __future__ import annotations

import os
import sys

from sockwake.config.instance import Instance, Name
from sockwake.config.settings import load
from sockwake.errors import failure
from sockwake.lifecycle import bundled, runtime, start_attempt
from sockwake.system import files, journal, process, sdnotify


def main(arguments: list[str]) -> int:
    """prepare NAME, as the main process of pg-postgres@NAME.service. The status is for systemd."""
    instance = Instance(Name(arguments[0]))
    sdnotify.put_off_ending()
    try:
        prepare(instance)
    except Exception as error:
        problem = failure(error)
        run = f"{os.environ.get('INVOCATION_ID', '')} {start_attempt.uptime()}"
        journal.aside(files.replace_volatile, start_attempt.awaited(instance), run)
        journal.aside(runtime.leave_failure, instance, problem)
        print(problem, file=sys.stderr)
        return problem.status
    sdnotify.let_end()
    return process.become("container", instance.name, "prepared")


def prepare(instance: Instance) -> None:
    """Make what is missing; raises SockwakeError."""
    runtime.make_directories(instance)
    settings = load(instance)
    lock = runtime.take_data(instance, settings.data) if settings.data else -1
    try:
        bundled.make_what_is_missing(instance, settings, journal.write)
    finally:
        if lock >= 0:
            os.close(lock)  # bin/container takes it again
