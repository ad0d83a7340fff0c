"""How a backend that systemd runs has ended, by what ExecStopPost= is told (systemd.exec(5))."""

from __future__ import annotations

import os

from sockwake.config.instance import Instance
from sockwake.config.settings import load
from sockwake.errors import IN_USE, SockwakeError
from sockwake.lifecycle import start_attempt
from sockwake.system import files, pids, process, systemctl

_NOT_FOUND, _NOT_EXECUTED = "127", "203"  # sh(1), systemd.exec(5)
_DATA_IN_USE = "75"  # status of bin/container, bin/server
_BY_SIGNAL = 128  # crun's status for a server that a signal has ended, less its number


def has_failed(instance: Instance, *, was_ready: bool, by_itself: bool) -> bool:
    """Whether its end was not asked for; it has failed, too, when it ended before it was ready.

    by_itself: it has ended, whatever was asked for behind that.
    """
    if os.environ.get("SERVICE_RESULT") != "success":
        return True
    if start_attempt.ends_anyhow():
        return by_itself
    return not was_ready and (by_itself or not systemctl.is_asked_to_stop(instance.backend_unit))


def why(instance: Instance, what: str, *, was_ready: bool) -> SockwakeError:
    """Why the backend has ended: what systemd says, and its own last line."""
    from sockwake.lifecycle import unclean  # late: a backend that ends in order needs nothing of it

    code, status = os.environ.get("EXIT_CODE", ""), os.environ.get("EXIT_STATUS", "")
    result = os.environ.get("SERVICE_RESULT")
    is_any = start_attempt.ends_anyhow()
    data = load(instance).data if what != "program" and status == _DATA_IN_USE else ""
    if data and not (is_any and was_ready):
        return SockwakeError(f"another instance is using {data}", status=IN_USE)
    if status in (_NOT_FOUND, _NOT_EXECUTED) and not is_any:
        return SockwakeError(f"its {what} cannot be run")
    if said := unclean.why_not_run(os.environ.get("INVOCATION_ID", ""), f"{result}", status):
        return SockwakeError(f"its {what} cannot be run", said=said)
    if result == "oom-kill" or (what == "container" and _lacked_memory()):
        return SockwakeError(f"its {what} was killed for lack of memory")
    if result == "timeout" and was_ready:
        return SockwakeError(
            f"its {what} did not end at its stop signal and was killed "
            "(KillSignal= or TimeoutStopSec= in service.conf)"
        )
    if result == "timeout":
        return SockwakeError(f"its {what} did not say it was ready in time")
    if what == "container" and status.isdigit() and int(status) > _BY_SIGNAL:
        code, status = "killed", _signal_name(int(status) - _BY_SIGNAL)
    ended = f"ended with status {status}" if code == "exited" else f"was killed by SIG{status}"
    lines = _last_lines()
    if was_ready or not is_any:
        return SockwakeError(f"its {what} {ended}", said=lines[-1] if lines else "")
    from sockwake.lifecycle import early_end  # with re, which no wake has to load

    return early_end.explained_by(SockwakeError(f"its {what} {ended}"), lines)


def _signal_name(number: int) -> str:
    """The name of a signal without "SIG", its number when it has none."""
    import signal

    try:
        return signal.Signals(number).name.removeprefix("SIG")
    except ValueError:
        return f"{number}"


def _lacked_memory() -> bool:
    """Whether the kernel has killed a process of the unit for lack of memory (cgroup v2)."""
    events = files.text_of(f"/sys/fs/cgroup{pids.cgroup(os.getpid())}/memory.events")
    return any(
        line.startswith("oom_kill ") and line != "oom_kill 0" for line in events.splitlines()
    )


def _last_lines() -> list[str]:
    """The last lines that the backend has written in this run."""
    invocation = os.environ.get("INVOCATION_ID", "")
    its_output = [f"_SYSTEMD_INVOCATION_ID={invocation}", "_TRANSPORT=stdout"]
    argv = ["journalctl", "--lines=40", "--output=cat", *its_output]
    lines = process.run(argv, check=False).splitlines()
    return [line for line in lines if line and not line.startswith("sockwake: ")]
