"""A container's healthcheck, asked when a client waits for it and not at its everyday interval.

Run by exec in the container, as the engine itself does it (Docker's API, "Exec").
"""

from __future__ import annotations

import json
from typing import Any

from sockwake.engine.api import Engine, EngineError
from sockwake.engine.container import split_frames

_SHELL = ["/bin/sh", "-c"]
_TIMEOUT = 30.0  # seconds, the engines' own, where none is told


class Healthcheck:
    """The healthcheck of a container, the image's or its own.

    test: its command; none for none. timeout: the seconds after which it has failed.
    """

    def __init__(self, details: dict[str, Any]) -> None:
        """details: what the engine says of the container."""
        config = details.get("Config") or {}
        check = config.get("Healthcheck") or {}
        self.test = _command(list(check.get("Test") or []), list(config.get("Shell") or _SHELL))
        self.timeout = float(check.get("Timeout") or 0) / 1e9 or _TIMEOUT

    def ask(self, engine: Engine, container: str, longest: float) -> tuple[bool, str]:
        """(whether the command succeeds in the container, what it wrote); raises EngineError.

        longest: seconds for an answer, if those are fewer than its own.
        """
        timeout = min(self.timeout, longest)
        asked = {"Cmd": self.test, "AttachStdout": True, "AttachStderr": True}
        try:
            made = json.loads(_post(engine, f"/containers/{container}/exec", asked, timeout))
            how = {"Detach": False, "Tty": False}
            answer = bytearray(_post(engine, f"/exec/{made['Id']}/start", how, timeout))
            state = json.loads(engine.call("GET", f"/exec/{made['Id']}/json", timeout))
            passes = not state["Running"] and state["ExitCode"] == 0
        except (ValueError, KeyError, TypeError):
            raise EngineError(
                "the container engine's answer to a healthcheck makes no sense"
            ) from None
        return passes, split_frames(answer).decode(errors="replace").strip()


def _command(test: list[str], shell: list[str]) -> list[str]:
    """What `test:` says, as the words of a command."""
    if not test or test[0] == "NONE":
        return []
    if test[0] == "CMD-SHELL":
        return [*shell, *test[1:]]
    return test[1:] if test[0] == "CMD" else test


def _post(engine: Engine, target: str, body: dict[str, Any], timeout: float) -> bytes:
    return engine.finish(engine.begin("POST", target, timeout, json.dumps(body).encode()))
