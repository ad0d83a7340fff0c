"""What the kernel knows of each TCP connection to the port of an instance: ss(8)."""

from __future__ import annotations

from sockwake import programs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# Nothing was acknowledged for so long. Whoever is there does so more often: keepalive asks every minute, or while
# something is on its way to him, retransmission or the probe of a closed window every two minutes at least.
_GONE_AFTER = 150  # seconds


class Connection:
    """One connection. remote: the other end, as ss writes it. outstanding: bytes it has not acknowledged yet.

    since_ack, since_byte: seconds since its last acknowledgement, and since the last byte either way.
    """

    def __init__(self, line: str) -> None:
        words = line.split()
        self.outstanding = int(words[2])
        self.remote = words[4]
        times = {key: int(value) / 1000 for key, _, value in (word.partition(":") for word in words) if key in _TIMES}
        self.since_ack = times.get("lastack", 0.0)
        self.since_byte = min(times.get("lastsnd", 0.0), times.get("lastrcv", 0.0))

    @property
    def has_vanished(self) -> bool:
        """Whether its other end has gone without a goodbye. Without anything outstanding keepalive finds that out."""
        return self.outstanding > 0 and self.since_ack >= _GONE_AFTER


_TIMES = ("lastsnd", "lastrcv", "lastack")


def each(port: int) -> Iterator[Connection]:
    """Every connection to a local port whose other end may read, though it may have said goodbye itself."""
    said = programs.run(["ss", "--no-header", "--oneline", "--tcp", "--numeric", "--info", *_to(port)])
    return map(Connection, said.splitlines())


def kill(port: int, remote: str) -> None:
    """End a connection at once, for both its ends; only root can."""
    programs.run(["ss", "--kill", "--tcp", "--numeric", *_to(port), "dst", remote], check=False)


def _to(port: int) -> tuple[str, ...]:
    return "state", "established", "state", "close-wait", "sport", f"= {port}"
