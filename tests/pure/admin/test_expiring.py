"""Copies that remove themselves: their time, the timer of it, and what is never removed."""

import time
from pathlib import Path

import pytest

from env_file import env
from generator import GENERATOR, places
from sockwake.admin import cli
from sockwake.admin.change import copy
from sockwake.config.instance import Name
from sockwake.errors import USAGE
from sockwake.lifecycle import expiring
from tree import Ran, Tree, run


def generate(tmp_path: Path, text: str, shell: str) -> tuple[Ran, Path]:
    """Run the generator for an instance whose end is written so; and where its timer would be."""
    for path in (tmp_path / "etc/a", tmp_path / "out"):
        path.mkdir(parents=True)
    (tmp_path / "etc/a/instance.env").write_text(env())
    (tmp_path / "etc/a/expires").write_text(text)
    out = str(tmp_path / "out")
    ran = run(shell, GENERATOR, out, out, out, env=places(tmp_path))
    return ran, tmp_path / "out/pg-expire@a.timer"


@pytest.mark.parametrize(
    ("text", "is_made"),
    [
        ("2026-11-29 03:30:00 UTC\n", True),
        ("2026-11-29 03:30:00 UTC", True),
        ("", False),
        ("tomorrow\n", False),
        ("2026-11-29 03:30:00 UTC;rm\n", False),
        ("2026-11-29 03:30:00\n", False),
        ("*-*-* 03:30:00 UTC\n", False),
    ],
)
@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_a_time_becomes_a_timer_that_a_boot_starts(
    tmp_path: Path, text: str, is_made: bool, shell: str
) -> None:
    ran, timer = generate(tmp_path, text, shell)
    assert (ran.status, timer.exists()) == (0, is_made), ran
    assert ("has no time that can be used" in ran.stderr) != is_made
    if is_made:
        assert "\nOnCalendar=2026-11-29 03:30:00 UTC\n" in timer.read_text()
        assert "\nPersistent=yes\n" in timer.read_text()
        wanted = tmp_path / "out/timers.target.wants/pg-expire@a.timer"
        assert wanted.resolve() == timer.resolve()


@pytest.mark.parametrize(
    ("text", "later"),
    [
        (
            "2026-08-09 08:30:00 UTC",
            ["2026-08-09 9..23:00:00", "2026-08-10..31 *:00:00", "2026-9..12-* *:00:00"],
        ),
        ("2026-11-30 23:59:59 UTC", ["2026-11-31..31 *:00:00", "2026-12..12-* *:00:00"]),
        ("2026-12-31 23:00:00 UTC", []),
        ("0999-12-31 23:00:00 UTC", None),
    ],
)
@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_every_hour_behind_its_time_is_another_attempt(
    tmp_path: Path, text: str, later: list[str] | None, shell: str
) -> None:
    """The time itself has passed for good when a removal fails, or a power cut ends it."""
    ran, timer = generate(tmp_path, text, shell)
    assert (ran.status, timer.exists()) == (0, later is not None)
    if later is None:
        return
    lines = [line for line in timer.read_text().splitlines() if line.startswith("OnCalendar=")]
    wanted = [text.removesuffix(" UTC"), *later, "2027..2199-*-* *:00:00"]
    assert sorted(lines) == sorted(f"OnCalendar={each} UTC" for each in wanted)
    for each in wanted:
        assert run("systemd-analyze", "calendar", f"{each} UTC").status == 0, each


def test_only_a_time_that_is_over_removes_anything(
    tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    tree.new("a")
    instance = tree.instance("a")
    with pytest.raises(Exception, match="was not made to expire"):
        expiring.require_over(instance)
    Path(instance.etc, "expires").write_text(expiring.note(100))
    assert abs((expiring.when(instance) or 0) - time.time() - 100) < 5
    with pytest.raises(Exception, match="and not before"):
        expiring.require_over(instance)
    Path(instance.etc, "expires").write_text(expiring.note(-1))
    expiring.require_over(instance)
    Path(instance.etc, "expires").write_text("soon\n")
    with pytest.raises(Exception, match="was not made to expire"):
        expiring.require_over(instance)
    assert cli.main(["rm", "--expired", "a", "--root", str(tree)]) == USAGE
    assert tree.sockwake("copy", "a", "b", "--ttl", "1h").status == USAGE, "not in a tree"
    for span in ("5s", "infinity", "soon"):
        assert tree.sockwake("copy", "a", "b", "--ttl", span).status == USAGE
    capsys.readouterr()


def test_what_goes_is_not_backed_up_unasked(tree: Tree) -> None:
    tree.new("a")
    with open(tree.instance("a").env_file, "a", encoding="utf-8") as file:
        file.write("BACKUP=on-sleep\nKEEP_BACKUPS=3\n")
    for name, ttl in (("stays", 0.0), ("goes", 3600.0)):
        copy.copy(Name("a"), Name(name), copy.Wish(ttl=ttl, quiet=True), root=str(tree))
        text = Path(tree.instance(name).env_file).read_text()
        assert ("BACKUP" in text) == (not ttl), text
