"""The first start of what has been made, or moved, by systemd: proof that a client can wake it."""

from sockwake.admin.show import facts
from sockwake.clients import connections
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.errors import SockwakeError
from sockwake.lifecycle import runtime
from sockwake.system import files, process, systemctl


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
        systemctl.hold(instance.backend_unit, *holder, seconds=2 * settings.start_timeout)
        failed = False
    except process.ProgramError:
        failed = True
    finally:
        files.remove(instance.trial_file)
        if not connections.connected(settings):
            systemctl.stop(instance.backend_unit)
    if failed:
        why = facts.last_failure(instance) or "systemd did not start it"
        hint = files.text_of(instance.failure_hint).strip()
        log = f"journalctl -u {instance.backend_unit}"
        raise SockwakeError(
            f"instance '{instance.name}' cannot start: {why}", f"{hint}; {log}" if hint else log
        )
