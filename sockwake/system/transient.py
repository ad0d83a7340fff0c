"""Units that systemd makes for one program, by systemd-run(1)."""

from __future__ import annotations

from sockwake.config import scope
from sockwake.system import process, systemctl

_HOLD = 60  # seconds beside what the unit itself may take


def begin(*arguments: str) -> None:
    """Have systemd start a program in a unit of its own (systemd-run), without waiting for it."""
    switches = ["--quiet", "--collect", "--no-block"]
    argv = ["systemd-run", *scope.switch(), *switches, *arguments]
    systemctl.asked(argv, process.PATIENCE, systemctl.NOT_CONNECTED)


def hold(unit: str, *argv: str, seconds: float) -> None:
    """Start a unit and keep it wanted until argv has ended; raises ProgramError when argv fails.

    seconds: for the unit to start and argv to end.
    """
    needs = [f"--property={relation}={unit}" for relation in ("Wants", "After")]
    switches = [*scope.switch(), "--quiet", "--collect", "--wait"]
    whole = ["systemd-run", *switches, *needs, *argv]
    systemctl.asked(whole, seconds + _HOLD, systemctl.NOT_CONNECTED)


def hold_back(unit: str, lock: str) -> None:
    """Have every start of a unit wait, from now on, while this process has locked a file.

    lock: the path of the file or directory. The jobs wait behind one that waits for the lock, and
    go on when it is released, also when this process is killed.
    """
    before = ["--property=Type=oneshot", f"--property=Before={unit}"]
    begin(*before, "flock", "--shared", lock, "true")
