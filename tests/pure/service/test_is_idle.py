"""Whether an instance may sleep, by what was seen of it."""

import pytest

from env_file import CONTAINER, GOOD, NATIVE, settings, text_of
from sockwake.lifecycle.idleness import FOREVER, Observation
from sockwake.service.check import is_idle

IDLE = 180.0  # seconds: IDLE=3min of each


@pytest.mark.parametrize(
    ("keys", "connections", "silent", "expected"),
    [
        (GOOD, 0, IDLE, True),
        (GOOD, 3, IDLE, True),
        (GOOD, 0, IDLE - 1, False),
        (GOOD, 0, FOREVER, True),
        (GOOD | {"CHECK": "none"}, 0, IDLE, True),
        (GOOD | {"CHECK": "none"}, 1, FOREVER, False),
        (GOOD | {"IDLE": "infinity"}, 0, IDLE * 1000, False),
        (CONTAINER | {"CHECK": "builtin"}, 1, IDLE, True),
        (CONTAINER, 1, IDLE, False),
        (NATIVE, 0, IDLE, True),
        (NATIVE, 1, IDLE, False),
        (NATIVE, 0, 0.0, False),
        (NATIVE | {"CHECK": "none"}, 0, IDLE, True),
    ],
)
def test_it_is_silent_for_long_enough_and_sessions_count_where_they_would_end(
    keys: dict[str, str], connections: int, silent: float, expected: bool
) -> None:
    seen = Observation(began=0, known=set(), connections=connections, switches=0, silent=silent)
    assert is_idle(settings(text_of(keys)), seen) == expected
