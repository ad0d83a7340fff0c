"""Ask and command systemd, by systemctl(1) and loginctl(1)."""

from __future__ import annotations

import os
import time

from sockwake.config import scope
from sockwake.config.scope import UID
from sockwake.system import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_NOT_LOADED = 5  # systemctl(1), "Exit status"
_RELOAD = 300  # seconds; a thousand instances take some, and another reload may be under way
_STOP = 900  # seconds; twice TimeoutStopSec= of pg-postgres@.service: to end, and to be killed
_PLACES = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")
_STAMPS = "/var/lib/systemd/timers/stamp-"  # what timers of the system have noted
_REEXECUTED = 10  # seconds; a thousand units take three
NOT_CONNECTED = ("Connection refused", "Transport endpoint is not connected")  # nothing was asked
_CONNECTION_LOST = (
    *NOT_CONNECTED,
    "Connection reset by peer",
    "D-Bus connection terminated",
    "Remote peer disconnected",
)
_START = 60  # seconds


def run(*arguments: str, check: bool = True, timeout: float | None = process.PATIENCE) -> str:
    """Run systemctl for our scope, and return what it wrote on stdout.

    timeout: seconds, None for no end. Raises ProgramError unless check is False, and Overdue.
    """
    try:
        return asked(["systemctl", *scope.switch(), *arguments], timeout, _CONNECTION_LOST)
    except process.ProgramError as error:
        if check:
            raise
        return error.written


def asked(argv: Sequence[str], timeout: float | None, lost: Sequence[str]) -> str:
    """What a program that asks systemd has written; raises ProgramError and Overdue.

    Run again for some seconds when systemd was executed anew meanwhile (daemon-reexec, as each
    upgrade of systemd does): it goes on with its jobs, and has forgotten who waits for them.
    lost: what the program says then.
    """
    latest = time.monotonic() + _REEXECUTED
    while True:
        try:
            return process.run(argv, timeout=timeout)
        except process.ProgramError as error:
            if time.monotonic() >= latest or not any(each in error.output for each in lost):
                raise
        time.sleep(0.1)


def signal(unit: str, name: str = "TERM", *, all_processes: bool = False) -> None:
    """Send a signal to a unit's main process, or to all its processes, without queueing a job."""
    run(*_kill(unit, name, all_processes=all_processes), check=False)


def kill_command(unit: str, name: str, *, all_processes: bool = False) -> list[str]:
    """The command of signal()."""
    return ["systemctl", *scope.switch(), *_kill(unit, name, all_processes=all_processes)]


def _kill(unit: str, name: str, *, all_processes: bool) -> list[str]:
    target = f"--kill-whom={'all' if all_processes else 'main'}"
    return ["kill", target, f"--signal=SIG{name}", unit]


def main_pid(unit: str) -> int:
    """The id of a unit's main process, 0 for none."""
    return int(_property(unit, "MainPID", check=False) or 0)


def invocation(unit: str) -> str:
    """What tells the last run of a unit from all others, "" when it has not run."""
    return _property(unit, "InvocationID", check=False)


def kill_signal(unit: str) -> int:
    """The number of a unit's stop signal, KillSignal=."""
    return int(_property(unit, "KillSignal"))


def _property(unit: str, name: str, *, check: bool = True) -> str:
    return run("show", f"--property={name}", "--value", unit, check=check).strip()


def is_asked_to_stop(unit: str) -> bool:
    """Whether systemd has a stop job for a unit: it was asked to stop, or is not needed."""
    return "stop" in _jobs(unit)


def is_asked_to_start(unit: str) -> bool:
    """Whether systemd has a start job for a unit, which may wait behind another."""
    return "start" in _jobs(unit)


def _jobs(unit: str) -> list[str]:
    return run("list-jobs", "--no-legend", unit, check=False).split()


def is_ending(unit: str) -> bool:
    """Whether a unit is being stopped, or is to be; a start may already be waiting behind that."""
    return active_state(unit) == "deactivating" or is_asked_to_stop(unit)


def start(unit: str) -> None:
    """Start a unit, and wait until that is done; raises ProgramError."""
    run("start", unit, timeout=_START)


def start_later(*units: str) -> None:
    """Queue the start of units without waiting for it; what is wrong with one is not told."""
    try:
        run("--no-block", "start", *units)
    except process.ProgramError:
        if len(units) > 1:  # with one that it cannot read systemd 262 starts no other
            for unit in units:
                start_later(unit)


def stop_later(unit: str) -> None:
    """Queue the stop of a unit without waiting for it."""
    run("stop", "--no-block", unit)


def stop_alone(unit: str) -> None:
    """Stop a unit, and none that is stopped with it; returns when its job has ended somehow."""
    run("--job-mode=ignore-dependencies", "stop", unit, check=False, timeout=_STOP)


def reload() -> None:
    """Run the generators again and read all units anew (daemon-reload)."""
    run("daemon-reload", timeout=_RELOAD)


def enable(unit: str, *, root: str = "") -> None:
    """Enable a unit, of which systemd learns by reload(). root: the tree to do it in."""
    _link("enable", unit, root)


def disable(unit: str, *, root: str = "") -> None:
    """Disable a unit, if it is enabled; systemd learns of it by reload()."""
    _link("disable", unit, root)


def _link(verb: str, unit: str, root: str) -> None:
    # a reload takes longer than all else, and one can do for several changes
    where = f"--root={root}" if root else "--no-reload"
    run(where, "--quiet", verb, unit)


def stop(*units: str) -> None:
    """Stop units and wait for it; no error for a unit that systemd does not know or cannot read."""
    try:
        run("stop", *units, timeout=_STOP)
    except process.ProgramError as error:
        if error.returned != _NOT_LOADED:
            raise
        if len(units) > 1:  # with one that it does not know systemd 262 stops none of the others
            for unit in units:
                stop(unit)


def known(*units: str) -> list[str]:
    """Those of several units that systemd knows; stop() takes one process for each of others."""
    shown = properties(units, "LoadState")
    missing = {unit for unit, values in shown.items() if values.get("LoadState") == "not-found"}
    return [unit for unit in units if unit not in missing]


def restart(unit: str) -> None:
    """Restart a unit and wait for it."""
    run("restart", unit, timeout=_STOP)


def active_state(unit: str) -> str:
    """Its ActiveState, as in "active"; of one that systemd does not know "inactive"."""
    return _property(unit, "ActiveState", check=False)


def is_to_restart(unit: str) -> bool:
    """Whether a unit has failed, and systemd waits until it starts it again (RestartSec=)."""
    return _property(unit, "SubState", check=False).startswith("auto-restart")


def is_enabled(unit: str, *, root: str = "") -> bool:
    """Whether a unit is enabled. root: the tree to look in."""
    tree = [f"--root={root}"] if root else []
    return run(*tree, "is-enabled", unit, check=False).strip() == "enabled"


def reset(*units: str) -> None:
    """Clear the failed state of units."""
    run("reset-failed", *units, check=False)


def forget_times(*timers: str) -> None:
    """Delete what timers that do not run have noted of their last time (Persistent=)."""
    noted = [each for each in timers if scope.is_user() or os.path.exists(f"{_STAMPS}{each}")]
    if noted and (noted := known(*noted)):  # systemd 262 cleans none beside one it does not know
        run("clean", "--what=state", *noted, check=False)


def states(pattern: str) -> dict[str, tuple[str, str]]:
    """(ActiveState, StatusText) of every loaded unit that pattern matches."""
    shown = properties([pattern], "ActiveState", "StatusText")
    return {
        unit: (values.get("ActiveState", ""), values.get("StatusText", ""))
        for unit, values in shown.items()
    }


def is_down(unit: str) -> bool:
    """Whether a unit does not run, and is not on its way to or from that."""
    return states(unit).get(unit, ("inactive", ""))[0] in ("inactive", "failed")


def active(*patterns: str) -> dict[str, str]:
    """The ActiveState of every loaded unit that one of the patterns matches.

    One question for all units, of which each costs PID 1 some microseconds; states() and
    properties() ask for each unit by itself, which costs it a millisecond.
    """
    switches = ["--all", "--full", "--plain", "--no-legend", "--no-pager"]
    listed = run("list-units", *switches, *patterns, check=False)
    rows = [line.split(None, 3) for line in listed.splitlines()]
    return {row[0]: row[2] for row in rows if len(row) > 2}


def properties(units: Sequence[str], *names: str) -> dict[str, dict[str, str]]:
    """The properties of these names of each unit; none of a unit that systemd does not know.

    units: or patterns, each for the loaded units that it matches. Of a property that is there
    several times, as ExecStopPost=, the first counts: an administrator's comes behind ours.
    """
    if not units:
        return {}
    asked = f"--property={','.join(('Id', *names))}"
    shown = run("show", asked, "--", *units, check=False)
    found = {}
    for block in shown.strip().split("\n\n"):
        values = dict(line.partition("=")[::2] for line in reversed(block.splitlines()))
        if unit := values.pop("Id", ""):
            found[unit] = values
    return found


def default_tasks_max() -> str:
    """How many tasks a unit may have that says nothing of it (DefaultTasksMax=)."""
    return run("show", "--property=DefaultTasksMax", "--value", check=False).strip()


def is_running() -> bool:
    """Whether systemd has booted this system (sd_booted(3)); in user scope also the user's."""
    return os.path.isdir("/run/systemd/system") and (
        not scope.is_user() or os.path.isdir(f"{scope.runtime()}/systemd")
    )


def take_places() -> None:
    """Set XDG_CONFIG_HOME, XDG_DATA_HOME and XDG_STATE_HOME as the user's manager has them."""
    shown = process.run(["systemctl", "--user", "show-environment"], check=False)
    for variable in _PLACES if shown else ():
        os.environ.pop(variable, None)
    for line in shown.splitlines():
        variable, _, value = line.partition("=")
        if variable in _PLACES:
            os.environ[variable] = value.removeprefix("$'").removesuffix("'")


def lingers() -> bool:
    """Whether the user's manager runs from boot on, without a login (Linger=)."""
    argv = ["loginctl", "show-user", str(UID), "--property=Linger", "--value"]
    return process.run(argv, check=False).strip() == "yes"
