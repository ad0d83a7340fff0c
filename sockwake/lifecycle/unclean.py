"""Backends behind whose end nothing was run, or that were never started, and systemd's reason."""

from __future__ import annotations

import os
from dataclasses import dataclass

from sockwake.system import process, systemctl

_EVERY, _PROXIES = "pg-postgres@*.service", "pg-proxy@*.service"
_OF_SYSTEMD = 200  # the exit statuses from there on, systemd.exec(5)
_NO_NETWORK = "225"
_NO_RESOURCES = "resources"  # Result= of one of which no process was made
# what systemd writes behind the cause, when it has run nothing: of a command, and of all of a unit
_NOT_RUN = ("Failed at step ", "Failed to spawn ")


@dataclass(frozen=True)
class Unclean:
    """A failed backend. run: its invocation id; result, status: Result= and ExecMainStatus=."""

    unit: str
    run: str
    result: str
    status: str

    def environment(self) -> dict[str, str]:
        """What systemd would have told its ExecStopPost=, systemd.exec(5)."""
        result, code, status = "signal", "killed", "KILL"
        if self.result == _NO_RESOURCES:
            result, code, status = self.result, "", ""
        elif self.result == "exit-code":
            result, code, status = self.result, "exited", self.status
        return {
            "INVOCATION_ID": self.run,
            "SERVICE_RESULT": result,
            "EXIT_CODE": code,
            "EXIT_STATUS": status,
        }


def look(unit: str = _EVERY) -> tuple[list[Unclean], list[str]]:
    """The failed backends whose ExecStopPost= was killed or not run, and those that start or end.

    One that takes its socket itself is started anew at once, and is hardly ever seen failed.
    """
    failed, changing = [], []
    asked = ("ActiveState", "ExecStopPost", "InvocationID", "Result", "ExecMainStatus")
    for name, told in systemctl.properties([unit], *asked).items():
        state = told.get("ActiveState")
        if state == "failed" and _was_not_run(told.get("ExecStopPost", "")):
            values = [told.get(key, "") for key in ("InvocationID", "Result", "ExecMainStatus")]
            failed.append(Unclean(name, *values))
        elif state in ("activating", "deactivating"):
            changing.append(name)
    return failed, changing


def without_backend() -> dict[str, str]:
    """The proxies that found no network to join, and why there is no backend to have one.

    systemd makes no process of a backend, nor a failure of it, when a condition of its unit is not
    met or what it requires has failed, as a mount that an administrator's drop-in names.
    """
    proxies = systemctl.properties([_PROXIES], "SubState", "ExecMainStatus")
    without = {
        unit.replace("pg-proxy@", "pg-postgres@"): unit
        for unit, told in proxies.items()
        if told.get("SubState") in ("auto-restart", "failed")
        and told.get("ExecMainStatus") == _NO_NETWORK
    }
    asked = ("ActiveState", "ConditionResult", "AssertResult")
    found = {}
    for backend, told in systemctl.properties([*without], *asked).items():
        is_met = "no" not in (told.get("ConditionResult"), told.get("AssertResult"))
        why = "what it requires has failed" if is_met else "a condition of it is not met"
        if told.get("ActiveState") in ("inactive", "failed"):
            found[without[backend]] = why
    return found


def _was_not_run(told: str) -> bool:
    """Whether a command was killed, or never executed, as without the unit's user.

    told: what systemctl shows of it.
    """
    if "code=killed" in told or "start_time=[n/a]" in told:
        return True
    status = told.partition("; status=")[2].partition(" ")[0]
    return status.isdigit() and int(status) >= _OF_SYSTEMD


def why_not_run(run: str, result: str, status: str) -> str:
    """What systemd says of a unit, or a command of it, that it could not run; "" when it has.

    run, result, status: as Unclean has them, of the end of the unit.
    """
    if result != _NO_RESOURCES and not (status.isdigit() and int(status) >= _OF_SYSTEMD):
        return ""
    of_systemd = [f"INVOCATION_ID={run}", f"_UID={os.getuid()}", "--priority=warning"]
    argv = ["journalctl", "--quiet", "--lines=40", "--output=cat", *of_systemd]
    lines = process.run(argv, check=False).splitlines()
    for at, line in enumerate(lines):
        if any(words in line for words in _NOT_RUN):
            return lines[max(at - 1, 0)].partition(".service: ")[2]
    return ""
