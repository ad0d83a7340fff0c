"""The verbs that measure instances; none of them wakes one."""

import json
import os
import sys
from argparse import Namespace

from sockwake.admin import operands
from sockwake.admin.option import DEBUG, FILES, JSON, NO_HEADER, USER, Option
from sockwake.admin.parser import Verb
from sockwake.config import scope
from sockwake.config.instance import Name
from sockwake.errors import USAGE, SockwakeError


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not int(text):
        raise SockwakeError(f"'{text}' is no number of lines", status=USAGE)
    return int(text)


def _history(arguments: Namespace) -> None:
    from sockwake.admin.measure import history, log

    names = operands.names(arguments.names, or_all=True) if arguments.names else []
    since = log.moment(arguments.since) if arguments.since else 0.0
    rows = history.rows(names, since, arguments.lines or 0)
    told = {row["name"] for row in rows}

    def is_known(name: Name) -> bool:
        """Whether there is such an instance, or an event of one that was removed."""
        if name in told or operands.is_there(name):
            return True
        return bool(log.read([name], since=since, most=1))

    _, missing = operands.there(names, is_known)
    if arguments.json:
        print(json.dumps(rows, indent=2))
    elif rows:
        print(history.table(rows, has_header=not arguments.no_header))
    else:
        print("The journal has nothing of that.", file=sys.stderr)
    if missing:
        raise missing


def _report(arguments: Namespace) -> None:
    from sockwake.admin.measure import log, report, report_text
    from sockwake.system import files

    names, missing = operands.there(operands.names(arguments.names, or_all=True))
    if not names:
        raise SockwakeError(
            "there are no instances", f"{scope.command('sockwake-new')} NAME --version 18 makes one"
        )
    made = report.make(names, log.moment(arguments.since or report.USUAL_SINCE))
    if arguments.html:
        files.replace(os.path.abspath(arguments.html), 0o644, report_text.html(made))
    if arguments.json:
        print(json.dumps(report_text.facts(made), indent=2))
    elif not arguments.html:
        print(report_text.table(made))
    if missing:
        raise missing


def _metrics(arguments: Namespace) -> None:
    from sockwake.admin.measure import metrics

    names, missing = operands.there(operands.names(arguments.names, or_all=True))
    text = metrics.text(names if arguments.names else ())
    if arguments.output:
        metrics.write(arguments.output, text)
    else:
        print(text, end="")
    if missing:
        raise missing


def _would_sleep(arguments: Namespace) -> None:
    from sockwake.admin.measure import would_sleep

    seconds = would_sleep.duration(getattr(arguments, "for") or would_sleep.USUAL_FOR)
    idle = would_sleep.duration(arguments.idle or would_sleep.USUAL_IDLE)
    each = would_sleep.run(arguments.names, seconds, idle)
    if arguments.json:
        print(json.dumps([would_sleep.facts(one) for one in each], indent=2))
    else:
        print("\n".join(map(would_sleep.sentences, each)))


_SINCE = Option("--since", "TIME", "from when on: 7d, yesterday, '2026-11-28 12:00'")

VERBS = (
    Verb(
        "history",
        _history,
        "list wakes, sleeps, failures, refusals and strangers",
        (
            _SINCE,
            Option("--lines", "N", "the last N only", type=_count, short="-n"),
            JSON,
            NO_HEADER,
            USER,
            DEBUG,
        ),
        description="List from the journal who woke instances and when, how long they were awake "
        "and why that ended; wakes that failed, clients that were refused, and connections that "
        "were no clients.",
        names="instances; all without one",
    ),
    Verb(
        "report",
        _report,
        "say how much instances have slept, and what that saved",
        (
            Option("--since", "TIME", _SINCE.help, otherwise="7d"),
            Option("--html", "FILE", "write it as one page of HTML", complete=FILES),
            JSON,
            USER,
            DEBUG,
        ),
        description="Say of instances and in sum the share of time asleep, how many wakes there "
        "were and how long they took, and the memory that was not used.",
        names="instances; all without one",
    ),
    Verb(
        "metrics",
        _metrics,
        "print metrics for Prometheus",
        (
            Option("--output", "FILE", "write them there, in one step", complete=FILES, short="-o"),
            USER,
            DEBUG,
        ),
        description="Print state, clients, wakes, their durations, time awake and memory of "
        "instances in the text format of Prometheus. As root, or of a user's own.",
        names="instances; all without one",
    ),
    Verb(
        "would-sleep",
        _would_sleep,
        "watch services that always run: how much they would sleep",
        (
            Option("--for", "TIME", "how long to watch", otherwise="10m"),
            Option("--idle", "TIME", "the IDLE that it would have", otherwise="5m"),
            JSON,
            Option("--user", help="of the calling user's own units and containers"),
            DEBUG,
        ),
        description="Watch services that always run, by the kernel's tables of connections, and "
        "say how often each would have slept, what that would have saved and how many connections "
        "would have waited. Touches nothing of them; Ctrl-C ends it with what was seen.",
        names="ports, units or containers",
    ),
)
