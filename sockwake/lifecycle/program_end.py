"""After the end of a backend that systemd itself has run: ExecStopPost= of its unit."""

from __future__ import annotations

import os
import sys

from sockwake.config.instance import Instance
from sockwake.lifecycle import (
    backend_end,
    holds,
    program_socket,
    proxy,
    proxy_netns,
    runtime,
    start_attempt,
    wakes,
)
from sockwake.system import files, journal, memory


def is_of_crun(instance: Instance, run: str) -> bool:
    """Whether bin/container has begun a run of the unit: by now the unit may be crun's by an edit.

    run: its invocation id.
    """
    return files.text_of(f"{instance.run}/begun").partition(" ")[0] == run


def clean_up(instance: Instance, what: str = "program") -> bool:
    """End its proxy, and leave the reason of an unwanted end.

    what: to call it, for clients. Returns whether there is one.
    """
    files.remove(start_attempt.refusal(instance))
    start_attempt.forget_verdict()
    if start_attempt.was_refusing(instance):
        why = os.environ.get("SOCKWAKE_REFUSAL", "")
        journal.aside(lambda: journal.record("refusal", instance.name, "refused clients", why=why))
        return False
    runtime.make_directories(instance)
    was_ready = files.remove(instance.ready_file)
    by_itself = files.remove(instance.ended_file)
    had = memory.noted(instance.memory_file)
    files.remove(instance.memory_file)
    if not was_ready and os.path.exists(instance.nobody_file):  # else of a look while it served
        proxy_netns.forget_unused(instance)
        return False  # no client has waited: bin/container has started nothing
    proxy.hang_up(instance, only_serving=not was_ready)
    program_socket.hide(instance)
    has_said_why = start_attempt.has_said_why(instance)
    has_failed = has_said_why or backend_end.has_failed(
        instance, was_ready=was_ready, by_itself=by_itself
    )
    if has_failed:
        journal.aside(holds.start_again, instance)
        if was_ready or not has_said_why:
            problem = backend_end.why(instance, what, was_ready=was_ready)
            print(problem, file=sys.stderr)
            runtime.leave_failure(instance, problem)
        # of a native program nothing was proven before it was called ready
        if not was_ready or start_attempt.woke_just_now(instance):
            start_attempt.refuse_next(instance, files.text_of(instance.failure_file).strip())
    if os.path.exists(instance.failure_file):
        proxy_netns.lead_somewhere(instance)  # a proxy may still be starting in there
    else:
        proxy_netns.forget(instance)
    if was_ready:
        why = files.text_of(instance.failure_file).strip()
        journal.aside(wakes.record_sleep, instance, had, why)
    else:
        journal.say("asleep")
    journal.aside(wakes.note_sleep, instance)
    if start_attempt.ends_anyhow():
        from sockwake.oci import bundle, layers

        journal.aside(layers.forget_unused, instance, bundle.layer(instance))
    return has_failed
