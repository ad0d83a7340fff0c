"""The healthcheck of a container, as an engine would ask it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sockwake.oci.command import plain
from sockwake.oci.unit import seconds

_SHELL = ["/bin/sh", "-c"]
_TIMEOUT = 30.0  # seconds, the engines' own, where none is told


def healthcheck(service: Mapping[str, Any], image: Mapping[str, Any]) -> tuple[list[str], float]:
    """(its command, the seconds after which it has failed); no words for none.

    service: what it says counts, key by key, before what its image does.
    """
    own: dict[str, Any] = plain(dict(service.get("healthcheck") or {}))
    theirs = image.get("Healthcheck") or {}
    test = [] if own.get("disable") else own.get("test") or theirs.get("Test") or []
    if isinstance(test, str):
        test = ["CMD-SHELL", test]
    said = own.get("timeout")
    timeout = seconds(str(said)) if said else float(theirs.get("Timeout") or 0) / 1e9
    return _words([*map(str, test)], list(image.get("Shell") or _SHELL)), timeout or _TIMEOUT


def _words(test: list[str], shell: list[str]) -> list[str]:
    """What `test:` says, as the words of a command."""
    if not test or test[0] == "NONE":
        return []
    if test[0] == "CMD-SHELL":
        return [*shell, *test[1:]]
    return test[1:] if test[0] == "CMD" else test
