"""A report in a real browser, and metrics before promtool; both of the recorded journal."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(SOURCE), str(SOURCE / "tests/pure/admin/measure")]

import recorded  # type: ignore[import-not-found]  # noqa: E402

from sockwake.admin.measure import counters, metrics, report, report_text  # noqa: E402
from sockwake.admin.measure.counters import Counters  # noqa: E402
from sockwake.admin.measure.metrics import Seen  # noqa: E402

NAMES = ("pg1", "pg2", "pg3")
CHROMIUM = "chromium --headless --no-sandbox --disable-gpu --hide-scrollbars".split()
PNG, BLANK = b"\x89PNG", 8000  # bytes of a picture of this size without anything in it


def page(tmp_path: Path) -> Path:
    since = dict.fromkeys(NAMES, recorded.BEGAN)
    made = report.measure(
        NAMES,
        recorded.found(),
        recorded.BOOTS,
        since=since,
        start=recorded.BEGAN,
        now=recorded.ENDED,
    )
    path = tmp_path / "report.html"
    path.write_text(report_text.html(made))
    return path


def looked_at(page: Path, *options: str) -> str:
    """What chromium says of a page; with whatever it logs, such as what a policy has blocked."""
    profile = f"--user-data-dir={page.parent}/profile"
    argv = [*CHROMIUM, profile, "--enable-logging=stderr", *options, f"file://{page}"]
    ran = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=120)
    assert "CONSOLE" not in ran.stderr, ran.stderr
    return ran.stdout


def test_a_browser_shows_all_of_the_page(tmp_path: Path) -> None:
    dom = looked_at(page(tmp_path), "--dump-dom")
    assert dom.count("<svg") == 2 and dom.count('class="awake"') >= 6
    assert [name for name in NAMES if f"<td>{name}</td>" not in dom] == []
    assert re.search(r"How long the \d+ wakes took", dom)


def test_a_browser_draws_it(tmp_path: Path) -> None:
    picture = tmp_path / "page.png"
    looked_at(page(tmp_path), f"--screenshot={picture}", "--window-size=1000,900")
    content = picture.read_bytes()
    assert content.startswith(PNG) and len(content) > BLANK


def test_promtool_has_nothing_to_say() -> None:
    known: dict[str, Counters] = {}
    counters.add(known, recorded.found())
    seen = [Seen("pg1", "asleep", 0), Seen("pg2", "awake", 3), Seen("lost", "broken", None)]
    text = metrics.written(seen, known, {})
    argv = ["promtool", "check", "metrics"]
    ran = subprocess.run(argv, check=False, input=text, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
