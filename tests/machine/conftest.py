"""Asked to end, the tests take their machines with them."""

from __future__ import annotations

import signal

import pytest

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def pytest_configure(config: pytest.Config) -> None:
    """SIGTERM ends as Ctrl-C does, through every finally."""
    for number in SIGNALS:
        signal.signal(number, _interrupt)


def _interrupt(*_: object) -> None:
    # Once: a terminal sends one, tests/run the other, and the second would end the cleaning up.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
