"""Proof that a container serves that is no PostgreSQL's, while crun runs it in its unit."""

from __future__ import annotations

import os
import time

from sockwake.errors import SockwakeError
from sockwake.lifecycle import entrypoint
from sockwake.lifecycle.readiness import await_server
from sockwake.oci import needs
from sockwake.system import files, pids

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.config.instance import Instance
    from sockwake.config.settings import Settings
    from sockwake.lifecycle.entrypoint import Ask
    from sockwake.lifecycle.probe import Wait

_LOOK_EVERY = 0.002  # seconds


def await_ready(crun: int, instance: Instance, settings: Settings, wait: Wait) -> None:
    """Return once the server answers that process crun runs; raises SockwakeError if it never does.

    Until its program runs, the container's process may still be in the host's network, where any
    other can listen.
    """
    deadline = time.monotonic() + settings.start_timeout
    while not (first := _first(crun)):
        wait(_LOOK_EVERY, -1)
        if time.monotonic() > deadline:
            raise SockwakeError(
                f"crun has not started its container within {settings.start_timeout:g} s"
            )
    ask = _healthcheck(instance)

    def stays(until: float) -> bool:
        return entrypoint.stays(first, instance, settings, wait, until, ask)

    await_server(first, instance, settings, wait, stays)


def _first(crun: int) -> int:
    """Process 1 of the container, 0 as long as it is still crun itself."""
    child = pids.child_of(crun)
    try:
        is_crun = os.readlink(f"/proc/{child}/exe") == os.readlink(f"/proc/{crun}/exe")
    except OSError:
        return 0
    return 0 if is_crun else child


def _healthcheck(instance: Instance) -> Ask | None:
    """What asks the healthcheck of the bundle, if it has one."""
    timeout = files.text_of(f"{needs.directory(instance.root)}/{instance.name}/health")
    if not timeout:
        return None
    from sockwake.oci import bundle  # 5 ms, of which no other container's wake has any use
    from sockwake.system import process

    argv = bundle.exec_argv(instance)

    def ask(longest: float) -> tuple[bool, str]:
        try:
            return True, process.run(argv, timeout=min(float(timeout), longest))
        except process.ProgramError as error:
            return False, error.said

    return ask
