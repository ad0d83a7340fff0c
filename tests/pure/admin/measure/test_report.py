"""sockwake report: shares, percentiles and memory, as text, JSON and a page."""

import re
import sys
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import pytest
from recorded import BEGAN, BOOTS, ENDED, found

from sockwake.admin.measure import charts, report, report_text
from sockwake.admin.measure.events import SLEEP, WAKE, Event
from sockwake.admin.measure.log import Boot
from sockwake.admin.measure.report import Report
from tree import SOURCE, run

GIB, HOUR = 2**30, 3600.0
NAMES = ("pg1", "pg2", "pg3")


def recorded() -> Report:
    since = dict.fromkeys(NAMES, BEGAN)
    return report.measure(NAMES, found(), BOOTS, since=since, start=BEGAN, now=ENDED)


def slept(memory: int | None = GIB, cache: int | None = 2 * GIB) -> list[Event]:
    """Awake for an hour, from its second on; then it slept."""
    return [
        Event(2 * HOUR, "a", WAKE, "b", took=0.0),
        Event(3 * HOUR, "a", SLEEP, "b", awake=HOUR, memory=memory, cache=cache),
    ]


def one(own: list[Event], boots: list[Boot], start: float = HOUR, now: float = 11 * HOUR) -> Report:
    return report.measure(["a"], own, boots, since={"a": start}, start=start, now=now)


def test_the_share_of_time_asleep_and_the_memory_that_was_not_used() -> None:
    (measured,) = one(slept(), [Boot("b", 0, 11 * HOUR)]).instances
    assert (measured.seconds, measured.asleep) == (10 * HOUR, 9 * HOUR)
    assert measured.memory == 8 * HOUR * GIB, "the hour before the wake is not known"
    assert measured.cache == 2 * measured.memory
    assert (measured.unmeasured, measured.uncached) == (HOUR, 0)


def test_what_it_had_before_the_span_counts_in_it() -> None:
    (measured,) = one(slept(), [Boot("b", 0, 11 * HOUR)], start=5 * HOUR).instances
    assert (measured.asleep, measured.memory) == (6 * HOUR, 6 * HOUR * GIB)
    assert (measured.wakes, measured.unmeasured) == ((), 0)


def test_what_is_not_known_counts_as_none_and_is_told() -> None:
    boots = [Boot("b", 0, 11 * HOUR)]
    made = one(slept(memory=None, cache=None), boots)
    assert (made.instances[0].memory, made.instances[0].unmeasured) == (0, 9 * HOUR)
    assert "Of 9 h asleep the memory before is not known" in report_text.table(made)
    made = one(slept(cache=None), boots)
    assert (made.instances[0].cache, made.instances[0].uncached) == (0, 8 * HOUR)
    assert "Of 8 h asleep the page cache before is not known" in report_text.table(made)


def test_time_without_the_machine_counts_for_nothing() -> None:
    boots = [Boot("b", 0, 4 * HOUR), Boot("c", 10 * HOUR, 11 * HOUR)]
    (measured,) = one(slept(), boots).instances
    assert (measured.seconds, measured.asleep) == (4 * HOUR, 3 * HOUR)
    assert measured.memory == 2 * HOUR * GIB


@pytest.mark.parametrize(
    ("values", "median", "high"),
    [
        ([], None, None),
        ([3], 3, 3),
        ([1, 2, 3, 4], 2.5, 4),
        ([*range(1, 101)], 50.5, 95),
        ([*range(1, 21)], 10.5, 19),
    ],
)
def test_median_and_percentile(
    values: list[float], median: float | None, high: float | None
) -> None:
    assert (report.median(values), report.percentile(values, 0.95)) == (median, high)


def test_a_recorded_journal_as_text_and_as_json() -> None:
    made = recorded()
    text = report_text.table(made).splitlines()
    assert [line.split()[0] for line in text[2:7]] == ["NAME", "pg1", "pg2", "pg3", "all"]
    facts = report_text.facts(made)
    each, total = facts["instances"], facts["total"]
    assert isinstance(each, list) and isinstance(total, dict)
    assert total["wakes"] == sum(one["wakes"] for one in each) > 0
    assert 0 < total["asleep_share"] < 1 and total["memory_gib_hours"] > 0
    assert all(len(one["awake"]) == one["wakes"] for one in each[1:])


class Page(HTMLParser):
    """All that a page refers to, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [f"{value}" for key, value in attrs if key in ("src", "href", "data")]


def test_the_page_is_whole_and_needs_nothing_from_elsewhere() -> None:
    text = report_text.html(recorded())
    page = Page(text)
    assert page.links == [] and not {"script", "link", "img", "iframe"} & {*page.tags}
    assert page.tags.count("svg") == 2 and page.tags.count("tr") == len(NAMES) + 2
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org/2000/svg)", text)


def test_the_timeline_has_a_row_for_every_instance_and_a_bar_for_every_time_awake() -> None:
    made = recorded()
    root = ElementTree.fromstring(charts.timeline(made))
    svg = "{http://www.w3.org/2000/svg}"
    rows = root.findall(f"{svg}g")
    assert [row.findtext(f"{svg}title", "").split(":")[0] for row in rows] == [*NAMES]
    for row, measured in zip(rows, made.instances):
        bars = [bar for bar in row.findall(f"{svg}rect") if bar.get("class") == "awake"]
        assert 1 <= len(bars) <= len(measured.spells)


def test_a_year_of_wakes_is_a_picture_of_a_few_hundred_bars() -> None:
    own = [
        event
        for number in range(20_000)
        for event in (
            Event(number * 1500, "a", WAKE, took=0.1),
            Event(number * 1500 + 300, "a", SLEEP, awake=300),
        )
    ]
    picture = charts.timeline(one(own, [], start=0, now=20_000 * 1500))
    assert picture.count("<rect") < 1000 and len(picture) < 150_000


def test_the_histogram_counts_every_wake_once() -> None:
    wakes = [0.01, 0.05, 0.0501, 0.2, 3, 100]
    counted = charts.counts(wakes)
    assert sum(count for _, count in counted) == len(wakes)
    assert counted[0] == ("≤ 50 ms", 2) and counted[-1] == ("> 60.0 s", 1)
    assert charts.counts([]) == [] and "<svg" in charts.histogram([])


@pytest.mark.parametrize("span", [30, 600, 7200, 86400, 7 * 86400, 400 * 86400])
def test_the_axis_has_a_few_round_times(span: float) -> None:
    found = charts.ticks(BEGAN, BEGAN + span)
    assert len(found) <= 10 and all(BEGAN < at < BEGAN + span for at in found)


def test_the_picture_in_the_readme_is_that_of_a_recorded_journal() -> None:
    """`make picture` draws the same again."""
    program = f"import runpy; print(runpy.run_path('{SOURCE}/tests/picture')['picture'](), end='')"
    drawn = run(sys.executable, "-B", "-c", program)
    assert (drawn.stdout, drawn.stderr) == ((SOURCE / "docs/report.svg").read_text(), "")
