"""What sockwake asks of systemd."""

import os

from sockwake.config import scope
from sockwake.config.scope import UID
from sockwake.system import process

_NOT_LOADED = 5  # systemctl(1), "Exit status"
_RELOAD = (
    300  # seconds; that of a thousand instances takes some, and waits for another that is under way
)
_STOP = 900  # seconds; twice TimeoutStopSec= of pg-postgres@.service, the time to end and that to have been killed
_HOLD = 60  # seconds beside what the unit itself may take


def signal(unit: str, name: str = "TERM", *, everybody: bool = False) -> None:
    """Send a signal to a unit's main process, or to everybody in it, if there is one, without queueing a job."""
    whom = "all" if everybody else "main"
    process.run(
        ["systemctl", *scope.switch(), "kill", f"--kill-whom={whom}", f"--signal=SIG{name}", unit],
        check=False,
    )


def main_pid(unit: str) -> int:
    """A unit's main process, 0 for none."""
    return int(_property(unit, "MainPID", check=False) or 0)


def kill_signal(unit: str) -> int:
    """The number of the signal by which systemd asks a unit's main process to end."""
    return int(_property(unit, "KillSignal"))


def _property(unit: str, name: str, *, check: bool = True) -> str:
    argv = ["systemctl", *scope.switch(), "show", f"--property={name}", "--value", unit]
    return process.run(argv, check=check).strip()


def hold(unit: str, *argv: str, seconds: float) -> None:
    """Start a unit, and keep it up until argv has ended; raises ProgramError when that fails.

    seconds: how long the unit may take to start, and argv to end.
    """
    needs = [f"--property={relation}={unit}" for relation in ("Wants", "After")]
    process.run(
        ["systemd-run", *scope.switch(), "--quiet", "--collect", "--wait", *needs, *argv],
        timeout=seconds + _HOLD,
    )


def is_asked_to_stop(unit: str) -> bool:
    """Whether systemd stops it because somebody wants it to, or nobody needs it."""
    jobs = process.run(
        ["systemctl", *scope.switch(), "list-jobs", "--no-legend", unit], check=False
    )
    return "stop" in jobs.split()


def stop_later(unit: str) -> None:
    """Have a unit stopped, and do not wait for it."""
    process.run(["systemctl", *scope.switch(), "stop", "--no-block", unit])


def reload() -> None:
    """Make systemd run the generators again and read the units anew."""
    process.run(["systemctl", *scope.switch(), "daemon-reload"], timeout=_RELOAD)


def enable(unit: str, *, root: str = "", now: bool = False) -> None:
    """Enable a unit, in the tree root if there is one; now starts it too. Reads the units anew by itself."""
    process.run(
        [
            "systemctl",
            *scope.switch(),
            *([f"--root={root}"] if root else []),
            "--quiet",
            "enable",
            *(["--now"] if now else []),
            unit,
        ],
        timeout=_RELOAD,
    )


def disable(unit: str, *, root: str = "") -> None:
    """Undo enable(); nothing to do for a unit that is not enabled."""
    tree = [f"--root={root}"] if root else []
    process.run(["systemctl", *scope.switch(), *tree, "--quiet", "disable", unit], timeout=_RELOAD)


def stop(*units: str) -> None:
    """Stop units and wait until they have; one that systemd does not know, or cannot read, does not run."""
    try:
        process.run(["systemctl", *scope.switch(), "stop", *units], timeout=_STOP)
    except process.ProgramError as error:
        if error.returned != _NOT_LOADED:
            raise


def reset(*units: str) -> None:
    """Forget that units failed."""
    process.run(["systemctl", *scope.switch(), "reset-failed", *units], check=False)


def states(pattern: str) -> dict[str, tuple[str, str]]:
    """(ActiveState, StatusText) of every loaded unit that pattern matches."""
    shown = process.run(
        ["systemctl", *scope.switch(), "show", "--property=Id,ActiveState,StatusText", pattern],
        check=False,
    )
    units = {}
    for block in shown.strip().split("\n\n"):
        values = dict(line.partition("=")[::2] for line in block.splitlines())
        if "Id" in values:
            units[values["Id"]] = (values.get("ActiveState", ""), values.get("StatusText", ""))
    return units


def not_cleaned_up() -> list[str]:
    """The backends that have failed, and behind which nothing could be run."""
    argv = [
        "systemctl",
        *scope.switch(),
        "show",
        "--property=Id,ActiveState,ExecStopPost",
        "pg-postgres@*.service",
    ]
    failed = [
        block
        for block in process.run(argv, check=False).split("\n\n")
        if "ActiveState=failed" in block
    ]
    killed = [block for block in failed if "code=killed" in block.partition("ExecStopPost=")[2]]
    return [
        line.removeprefix("Id=")
        for block in killed
        for line in block.splitlines()
        if line.startswith("Id=")
    ]


def is_running() -> bool:
    """Whether systemd is the init of this system (sd_booted(3)), and the user's manager runs."""
    return os.path.isdir("/run/systemd/system") and (
        not scope.is_user() or os.path.isdir(f"{scope.runtime()}/systemd")
    )


def take_places() -> None:
    """Look where the user's systemd does, whose XDG variables may be others than those of this shell."""
    shown = process.run(["systemctl", "--user", "show-environment"], check=False)
    for variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME") if shown else ():
        os.environ.pop(variable, None)
    for line in shown.splitlines():
        variable, _, value = line.partition("=")
        if variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
            os.environ[variable] = value.removeprefix("$'").removesuffix("'")


def lingers() -> bool:
    """Whether systemd starts the user's instances at boot, and lets them be when he logs out."""
    argv = ["loginctl", "show-user", str(UID), "--property=Linger", "--value"]
    return process.run(argv, check=False).strip() == "yes"
