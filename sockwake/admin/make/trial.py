"""The first start of what has been made, or moved, by systemd: proof that a client can wake it."""

from sockwake.clients import connections
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.lifecycle import runtime, waking
from sockwake.system import files, process, systemctl, transient


def try_out(instance: Instance, settings: Settings) -> None:
    """Start the backend once; raises SockwakeError unless it becomes ready.

    It is stopped again, but not under clients that have come meanwhile.
    """
    if settings.is_native:
        return
    runtime.make_directories(instance)
    try:
        files.replace_volatile(instance.trial_file, "")
        holder = ["flock", instance.wake_lock, "test", "-e", instance.ready_file]
        transient.hold(instance.backend_unit, *holder, seconds=2 * settings.start_timeout)
        failure = None
    except process.ProgramError as error:
        failure = error
        waking.has_outcome(instance)  # before the stop, which could be taken for its reason
    finally:
        files.remove(instance.trial_file)
        if not connections.connected(settings):
            systemctl.stop(instance.backend_unit)
    if failure:
        raise waking.failed(instance, failure.said)
