"""Libraries that a server loads at its start, seen from outside."""

import pytest

from sockwake.postgres.preloaded import libraries, with_jobs


@pytest.mark.parametrize(
    ("definition", "configured", "found"),
    [
        ("", "", []),
        ("", "pg_cron, pg_stat_statements", ["pg_cron", "pg_stat_statements"]),
        ("      - shared_preload_libraries=$libdir/pg_cron\n", "other", ["pg_cron"]),
        ('      - "shared_preload_libraries=a,b"\n', "", ["a", "b"]),
        ("command: postgres -c 'shared_preload_libraries=timescaledb'", "", ["timescaledb"]),
        ("# - shared_preload_libraries=a\n", "b", ["b"]),
    ],
)
def test_the_command_counts_or_else_the_clusters_files(
    definition: str, configured: str, found: list[str]
) -> None:
    assert libraries(definition, configured) == found


def test_those_with_jobs_are_known() -> None:
    assert with_jobs(["auto_explain", "pg_cron", "timescaledb"]) == ["pg_cron", "timescaledb"]
