"""docs/bench.md, from the rows. Pure."""

from __future__ import annotations

from typing import Any

import wake_rows
from rows import Row

_HEAD = ("what", "median", "spread", "must be", "")
_WHY_PYTHON = """\
Most of it is the interpreter: a program of 7 MB that starts up in C. `-IS` already leaves out
`site`, the environment and the user's directories; what is left cannot be switched off. The imports
are the package's own small modules, all compiled when the package was installed, with `os`,
`select`, `fcntl`, `binascii` and `_socket`: HTTP, the PostgreSQL protocol and sd_notify are spoken
on bare sockets, because `socket`, `http.client`, `json`, `re` and `subprocess` would add some 30
ms. What a failing or a first wake needs besides is imported there. The proxy's wrapper is sh. From
READY=1 on Python waits for the engine and PostgreSQL, and it becomes the watcher when the client is
already being served. Less would take another language.
"""
_NOTES = """\
- All contestants took turns (sockwake, awake psql, recipe, floor, sockwake, …) behind one round
  that is not counted. A cold start is the wall time of a whole `psql -Atc 'select 1'`, Debian's
  wrapper included, after everything had ended and the machine was quiet.
- The guests are systemd-nspawn's, without what that mounts below `/proc`: a Debian on a machine of
  its own has nothing there, and every sandbox would have to take it away (8 ms of a `command`).
- Spread: 10th to 90th percentile; least to most below ten samples.
- A second of the recipe is the sleep of `nc -z`, on any machine: on a slower one the ratios against
  it grow. How fast the machine was in this run, `psql on an awake instance` tells: on one that
  takes 40 ms for that, what is processor time takes half as long again as on one of 27 ms: the
  host's PostgreSQL against the recipe, a `command` against its hand-made unit, a probe, a copy, a
  first boot, `sockwake-new` and a daemon-reload with 1,000 instances. It changes within a run, too:
  at the end `what the waker imports` took 9.4 ms where `sockwake-new` beside 1,000 took 270 ms, and
  12.0 where it took 335. That was not the code: in turns on one machine the version of the first
  figure took 354 ms, and that of the second 349 (medians of six).
- The recipe is in `tests/bench/recipe/`: `docker-compose up` in one service, `nc -z` once a second
  and socket-proxyd in the other. Its other variant has `docker-compose up -d` in front of `nc -z`:
  that finds docker's port forwarder before PostgreSQL listens, so its clients are turned away; its
  figure is what a client sees that tries again at once.
- The hand-made units of the other kinds are in `tests/bench/recipe/kinds/`; redis says itself when
  it is ready there, and the native program is simply started by its socket. Those run as root and
  without a sandbox, and never say why they do not start; the native one never sleeps, either.
  Requests per second: `ab` with eight connections and `redis-benchmark`, taking turns.
- The project is `tests/system/projects/two-services`: an nginx that depends on a healthy
  PostgreSQL. A cold start is a GET until the page is there; compose's lasts until it says that both
  are healthy.
- Upgrades, backups and copies: a btrfs on a loop device, and the guest's own file system; ours and
  `cp` with a sync take turns. What a backup takes beside it does not grow with the data: Python and
  the verb (some 70 ms), systemd asked, and told to hold back wakes (25), files counted and looked
  at (20). `cp` shares 1 GB in some 50 ms, so that the ratio says how long a command takes to start.
  A copy has systemd read all units, too (100), and compose its definition (30).
- MB are 10^6 bytes. RSS counts the pages of the interpreter and libc in full, although all
  instances share them: another awake instance costs the part that is not shared.
"""


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table, aligned so that it reads in a terminal too."""
    lines = [_HEAD, *((row.what, row.figure, row.spread, row.bound, row.verdict) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    padded = [[cell.ljust(width) for cell, width in zip(line, widths)] for line in lines]
    drawn = [f"| {' | '.join(cells)} |" for cells in padded]
    rule = "|".join("-" * (width + 2) for width in widths)
    return "\n".join([drawn[0], f"|{rule}|", *drawn[1:]])


def render(results: dict[str, Any], rows: list[Row], date: str) -> str:
    """The whole page."""
    machine = ", ".join(f"{what} {value}" for what, value in results["machine"].items() if value)
    text = [
        f"# Figures\n\nWritten by `make bench` on {date}; one run, one machine: {machine}.",
        table(rows),
        _NOTES,
    ]
    if "cold" in results:
        text.append(_where(results["cold"]))
    if "python" in results:
        text.append(f"## Python\n\n{_WHY_PYTHON}")
    return "\n\n".join(part.strip() for part in text) + "\n"


def _where(cold: dict[str, Any]) -> str:
    lines = ["## Where a cold start goes", "", "| step | ms |", "|---|---|"]
    lines += [f"| {what} | {took:.0f} |" for what, took in wake_rows.parts(cold)]
    told = wake_rows.phases(cold)
    if told:
        inside = ", ".join(f"{what} {took:.0f}" for what, took in told.items() if what != "total")
        total = f"{told.get('total', 0):.0f} ms, of which {inside}"
        lines += ["", f"The waker's own account (its line in the journal): {total}."]
    quiet, waits = cold["quiet"]
    lines += ["", f"The machine was quiet before {quiet} of {waits} measurements."]
    return "\n".join(lines)
