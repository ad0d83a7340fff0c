"""What crun leaves in its directory of an instance."""

from __future__ import annotations

from instances import Make


def test_what_a_killed_crun_has_left_keeps_no_wake_from_starting(instance: Make) -> None:
    """Nor does removing it take along the seccomp filter, which costs a wake to compile."""
    database = instance()
    assert database.psql() == "1"
    database.asleep()
    crun = database.run / "crun"
    filters = {file: file.stat().st_ino for file in (crun / ".cache/seccomp").iterdir()}
    assert filters
    (crun / database.name).mkdir()
    (crun / database.name / "status").write_text("{")
    assert database.psql() == "1"
    database.asleep()
    assert not (crun / database.name).exists()
    assert {file: file.stat().st_ino for file in (crun / ".cache/seccomp").iterdir()} == filters
