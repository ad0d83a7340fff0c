"""A container's healthcheck, asked when somebody waits for it and not at its everyday interval.

Run by exec in the container, as the engine itself does it (Docker's API, "Exec").
"""

from __future__ import annotations

import json
from typing import Any

from sockwake.engine.api import Engine, EngineError

_SHELL = ["/bin/sh", "-c"]


def test_of(details: dict[str, Any]) -> list[str]:
    """The command of a container's healthcheck, the image's or its own; none for none.

    details: what the engine says of the container.
    """
    config = details.get("Config") or {}
    test = (config.get("Healthcheck") or {}).get("Test") or []
    if not test or test[0] == "NONE":
        return []
    if test[0] == "CMD-SHELL":
        return [*(config.get("Shell") or _SHELL), *test[1:]]
    return list(test[1:]) if test[0] == "CMD" else list(test)


def passes(engine: Engine, container: str, test: list[str], timeout: float) -> bool:
    """Whether the command succeeds in the container; raises EngineError. timeout: seconds."""
    asked = {"Cmd": test, "AttachStdout": True, "AttachStderr": True}
    made = json.loads(_post(engine, f"/containers/{container}/exec", asked, timeout))
    _post(engine, f"/exec/{made['Id']}/start", {"Detach": False, "Tty": False}, timeout)
    state = json.loads(engine.call("GET", f"/exec/{made['Id']}/json"))
    return not state["Running"] and state["ExitCode"] == 0


def _post(engine: Engine, target: str, body: dict[str, Any], timeout: float) -> bytes:
    try:
        return engine.finish(engine.begin("POST", target, timeout, json.dumps(body).encode()))
    except (ValueError, KeyError):
        raise EngineError("the container engine's answer to a healthcheck makes no sense") from None
