"""Behind the end of a program that systemd runs as a backend: ExecStopPost= of its unit."""

from __future__ import annotations

import os

from sockwake.config.instance import Instance
from sockwake.lifecycle import program_end, start_attempt, wakes
from sockwake.system import journal

_AFTER = {"after-bundle": "container", "after-server": "server"}  # what has ended, for clients


def clean_up(instance: Instance, verb: str) -> int:
    """Clean up behind it; the status is for systemd. verb: of service/program.py.

    A run of crun's unit that bin/container has not begun was an engine's, before an edit of
    RUNTIME=: its container goes on when its watcher was killed, and is stopped here.
    """
    run = os.environ.get("INVOCATION_ID", "")
    if verb == "after-bundle" and not program_end.is_of_crun(instance, run):
        journal.aside(wakes.note_sleep, instance)
        if os.environ.get("SERVICE_RESULT") != "success" or os.path.exists(instance.ready_file):
            from sockwake.service import cleanup

            cleanup.clean_up(instance)
        return 0
    has_failed = program_end.clean_up(instance, _AFTER.get(verb, "program"))
    return int(has_failed and start_attempt.ends_anyhow())  # which systemd does not know
