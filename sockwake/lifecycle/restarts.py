"""When a service that ends by itself is restarted: by its `restart:`, as the engines would do it.

A wake does this and not the engine, which would start the containers of a project that sleeps.
"""

from __future__ import annotations

from sockwake.lifecycle.service_run import ServiceRun

_NEVER, _ON_FAILURE = ("", "no"), "on-failure"
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 60.0  # seconds before a restart, doubled each time


class Restarts:
    """Counts the restarts of one wake."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def pause(self, ended: ServiceRun) -> float | None:
        """Seconds until a service that has ended is to be restarted; None when it is not to be."""
        count = self._counts.get(ended.name, 0)
        if ended.exit_code < 0 or not is_restarted(ended.member.restart, ended.exit_code, count):
            return None
        self._counts[ended.name] = count + 1
        return float(min(_FIRST_PAUSE * 2 ** min(count, 16), _LONGEST_PAUSE))


def is_restarted(policy: str, exit_code: int, count: int) -> bool:
    """Whether a policy (compose's restart:) wants it. count: how often it was restarted before."""
    name, _, most = policy.partition(":")
    if name in _NEVER:
        return False
    if name == _ON_FAILURE:
        return exit_code != 0 and (not most.isdigit() or count < int(most))
    return True
