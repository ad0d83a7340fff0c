"""sockwake would-sleep: watch services that always run, and say how much they would have slept."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sockwake.admin import inventory
from sockwake.admin.measure import watched, words
from sockwake.admin.measure.shadow import Shadow
from sockwake.admin.measure.watched import Watch
from sockwake.config import timespan
from sockwake.errors import USAGE, SockwakeError, shown

_LOOK_EVERY = 1.0  # seconds
USUAL_FOR, USUAL_IDLE = "10m", "5m"


@dataclass
class Watched:
    """One service. word: as it was named. ended: whether it went while it was watched."""

    word: str
    watch: Watch
    shadow: Shadow
    ended: bool = False

    def look(self, now: float) -> None:
        """Look once; a service that was restarted is found anew."""
        if self.watch.has_ended:
            try:
                self.watch = Watch(watched.find(self.word))
            except SockwakeError:
                self.ended = True
                return
        now_open, closed = self.watch.look()
        self.shadow.look(now, now_open, closed, self.watch.memory)


def duration(text: str) -> float:
    """A span to watch for, or to be idle for; raises SockwakeError (usage)."""
    seconds = timespan.parse(text)
    if not 0 < seconds < timespan.INFINITY:
        raise SockwakeError(f"'{text}' is no time to wait for", "write it as in 10m", USAGE)
    return seconds


def run(services: Sequence[str], seconds: float, idle: float) -> list[Watched]:
    """Watch for so long, or until Ctrl-C; raises SockwakeError before it begins."""
    if not services:
        raise SockwakeError("say which service", "a PORT, a UNIT or a CONTAINER", USAGE)
    if idle >= seconds:
        raise SockwakeError(
            f"nothing can be idle for {words.span(idle)} within {words.span(seconds)}",
            "--for has to be longer than --idle",
            USAGE,
        )
    began = time.monotonic()
    each = [
        Watched(word, Watch(watched.find(word)), Shadow(idle, began))
        for word in dict.fromkeys(services)
    ]
    inventory.say(f"watching for {words.span(seconds)}; Ctrl-C ends it before")
    try:
        _watch(each, began + seconds)
    except KeyboardInterrupt:
        pass
    for one in each:
        one.shadow.end()
    return each


def _watch(each: Sequence[Watched], until: float) -> None:
    while True:
        now = time.monotonic()
        for one in each:
            if not one.ended:
                one.look(now)
        if now >= until or all(one.ended for one in each):
            return
        time.sleep(min(_LOOK_EVERY, max(until - now, 0)))


def facts(one: Watched) -> dict[str, object]:
    """What --json prints of one service."""
    shadow, last = one.shadow, one.shadow.last
    is_known = last is not None
    return {
        "service": one.word,
        "ports": list(one.watch.place.ports),
        "sockets": list(one.watch.place.paths),
        "watched_seconds": round(shadow.watched, 3),
        "ended": one.ended,
        "idle_seconds": shadow.idle,
        "connections": shadow.connections,
        "sleeps": len(shadow.sleeps),
        "asleep_seconds": round(shadow.asleep, 3),
        "longest_sleep_seconds": round(shadow.longest, 3),
        "connections_waited": shadow.waited,
        "memory_bytes": last.own if last else None,
        "page_cache_bytes": last.cache if last else None,
        "memory_gib_hours": round(words.gib_hours(shadow.memory), 6) if is_known else None,
        "page_cache_gib_hours": (
            None if shadow.cache is None else round(words.gib_hours(shadow.cache), 6)
        ),
    }


def sentences(one: Watched) -> str:
    """The same for people."""
    shadow, place = one.shadow, one.watch.place
    where = ", ".join([*(f"port {port}" for port in place.ports), *map(shown, place.paths)])
    share = 100 * shadow.asleep / shadow.watched if shadow.watched else 0
    lines = [
        f"{one.word} ({where}): {_count(shadow.connections, 'connection')} "
        f"in {words.span(shadow.watched)}{', then it ended' if one.ended else ''}.",
        f"  With IDLE={shadow.idle:.10g}s it would have slept "
        f"{_count(len(shadow.sleeps), 'time')}, {words.span(shadow.asleep)} in all "
        f"({share:.0f} %), {words.span(shadow.longest)} at the longest.",
        f"  {_count(shadow.waited, 'connection')} would have waited for a wake.",
        f"  {_memory(shadow)}",
    ]
    return "\n".join(lines)


def _memory(shadow: Shadow) -> str:
    last = shadow.last
    if last is None:
        return "What it has of memory cannot be seen."
    cache = "not known" if last.cache is None else words.size(last.cache)
    saved = ""
    if shadow.sleeps:
        saved = f"; not used meanwhile: {words.gib_hours(shadow.memory):.3g} GiB·h of its own"
        if shadow.cache is not None:
            saved += f", {words.gib_hours(shadow.cache):.3g} GiB·h of page cache"
    return f"It has {words.size(last.own)} of its own, page cache {cache}{saved}."


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
