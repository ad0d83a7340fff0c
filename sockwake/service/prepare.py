"""Make what a wake without an engine lacks: the cluster, or a bundle of the files as they are now.

bin/container becomes this when it has nothing to run, and this becomes bin/container again;
bin/host does when the host's server has nothing to serve. The proxy waits meanwhile, as long as
that takes.
"""

from __future__ import annotations

import os
import sys

from sockwake.config import forwarding, scope
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import load
from sockwake.errors import SockwakeError, failure
from sockwake.lifecycle import first_wake, runtime, start_attempt
from sockwake.system import files, journal, process, sdnotify


def main(arguments: list[str]) -> int:
    """prepare NAME, as the main process of pg-postgres@NAME.service, or of pg-wanted@NAME.service.

    The status is for systemd.
    """
    instance = Instance(Name(arguments[0]))
    sdnotify.put_off_ending()
    try:
        goes_on = prepare(instance)
    except Exception as error:
        problem = failure(error)
        journal.aside(start_attempt.note, instance)
        journal.aside(runtime.leave_failure, instance, problem)
        if runtime.is_crun(instance):
            print(problem, file=sys.stderr)
        else:  # of another unit than clients are told to look at
            text = str(problem).encode(errors="replace")
            journal.aside(journal.write_as, "sockwake", text, instance.backend_unit)
            return 0  # its unit has not failed
        return problem.status
    sdnotify.let_end()
    if not goes_on:
        return 0
    return process.become("container", instance.name, "prepared")


def prepare(instance: Instance) -> bool:
    """Make what is missing; returns whether crun runs it. Raises SockwakeError."""
    runtime.make_directories(instance)
    forwarding.require_none(instance)
    settings = load(instance)
    if settings.is_container != runtime.is_crun(instance):
        changed = f"RUNTIME= in {instance.env_file} was changed"
        raise SockwakeError(
            f"{changed}, and systemd has not read it", scope.command("systemctl", "daemon-reload")
        )
    if first_wake.is_possible(instance, settings):
        first_wake.settle(instance, settings)
    lock = runtime.take_data(instance, settings.data) if settings.data else -1
    try:
        if settings.is_container:
            from sockwake.lifecycle import bundled, former_engine

            former_engine.stop(instance, settings)
            runtime.require_unserved(settings)
            bundled.make_what_is_missing(instance, settings, journal.write)
            if not settings.has_cluster:
                bundled.require_network(instance)
        else:
            from sockwake.lifecycle import hosted

            hosted.make_what_is_missing(instance, settings, journal.write)
            files.remove(instance.unprepared_file)
    finally:
        if lock >= 0:
            os.close(lock)  # bin/container, or bin/server, takes it again
    return settings.is_container
