"""What the upkeep sets before its statements, which may take hours at the pace of autovacuum."""

import pytest

from sockwake.postgres import maintenance


@pytest.mark.parametrize(
    ("major", "absent"),
    [
        (13, {"idle_session_timeout", "transaction_timeout"}),
        (16, {"transaction_timeout"}),
        (17, set()),
    ],
)
def test_no_timeout_of_the_server_s_ends_it(major: int, absent: set[str]) -> None:
    """Those that a version knows: it would be an error to set another."""
    ended_by = {"statement_timeout", "idle_session_timeout", "transaction_timeout"}
    said = maintenance.settings(major)
    found = {name for name in ended_by if f"SET {name} = 0" in said}
    assert found == ended_by - absent
    assert len(said) == 6 - len(absent)
