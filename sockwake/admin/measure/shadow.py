"""Whether a service that always runs would have slept: what its connections come to. Pure."""

from collections.abc import Set
from dataclasses import dataclass, field

from sockwake.system.memory import Memory


@dataclass
class Shadow:
    """The instance that a service would be, by what is seen of it from one look to the next.

    idle: seconds without a connection after which it would sleep. All times are seconds of one
    clock. began: when it was looked at first; it counts as awake then.
    """

    idle: float
    began: float
    connections: int = 0
    waited: int = 0
    sleeps: list[tuple[float, float]] = field(default_factory=list)
    slept_at: float | None = None
    memory: float = 0
    cache: float | None = 0
    last: Memory | None = None
    _open: frozenset[str] = frozenset()
    _busy: float = 0
    _seen: float = 0

    def __post_init__(self) -> None:
        self._busy = self._seen = self.began

    def look(self, at: float, now_open: Set[str], closed: int, has: Memory | None) -> None:
        """One look. now_open: what tells each connection. closed: those that came and went since.

        has: its memory, None when it is not known. A connection that came while it would have
        slept would have waited.
        """
        new = len(now_open - self._open) + closed
        self.connections += new
        is_busy = bool(now_open) or bool(closed)
        if self._open & now_open:  # one that has stayed
            self._busy = at
        if self.slept_at is None:
            self.last = has or self.last
        if self.slept_at is None and at - self._busy >= self.idle:
            self.slept_at = self._busy + self.idle
        if is_busy:
            if self.slept_at is not None:
                self.waited += new
                self._end_sleep(at)
            self._busy = at
        self._open, self._seen = frozenset(now_open), at

    def _end_sleep(self, at: float) -> None:
        assert self.slept_at is not None
        self.sleeps.append((self.slept_at, at))
        self._save(at - self.slept_at)
        self.slept_at = None

    def _save(self, seconds: float) -> None:
        self.memory += seconds * (self.last.own if self.last else 0)
        known = self.last.cache if self.last else None
        if known is None or self.cache is None:
            self.cache = None
        else:
            self.cache += seconds * known

    def end(self) -> None:
        """No more looks: a sleep that goes on counts up to the last one."""
        if self.slept_at is not None and self._seen > self.slept_at:
            self._end_sleep(self._seen)

    @property
    def watched(self) -> float:
        return self._seen - self.began

    @property
    def asleep(self) -> float:
        return sum(until - since for since, until in self.sleeps)

    @property
    def longest(self) -> float:
        return max((until - since for since, until in self.sleeps), default=0)
