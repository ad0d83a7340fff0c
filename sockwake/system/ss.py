"""What the kernel knows of each TCP connection to the port of an instance: ss(8)."""

from __future__ import annotations

from sockwake.system import process, procnet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
        times = {
            key: int(value) / 1000
            for key, _, value in (word.partition(":") for word in words)
            if key in _TIMES
        }
        self.since_ack = times.get("lastack", 0.0)
        self.since_byte = min(times.get("lastsnd", 0.0), times.get("lastrcv", 0.0))

    @property
    def has_vanished(self) -> bool:
        """Whether its other end has gone without a goodbye. Without anything outstanding keepalive finds that out."""
        return self.outstanding > 0 and self.since_ack >= _GONE_AFTER


_TIMES = ("lastsnd", "lastrcv", "lastack")

_STATES = ("state", "established", "state", "close-wait")


def each(listen: Sequence[str], port: int) -> Iterator[Connection]:
    """Every connection to an instance whose other end may read, though it may have said goodbye itself."""
    if not (ends := at(listen, port)):
        return iter(())
    said = process.run(
        ["ss", "--no-header", "--oneline", "--tcp", "--numeric", "--info", *_STATES, *ends]
    )
    return map(Connection, said.splitlines())


def kill(listen: Sequence[str], port: int, remote: str) -> None:
    """End a connection at once, for both its ends; only root can."""
    process.run(
        ["ss", "--kill", "--tcp", "--numeric", *_STATES, *at(listen, port), "dst", remote],
        check=False,
    )


def at(listen: Sequence[str], port: int) -> list[str]:
    """The filter of ss for the TCP addresses of an instance, empty when it has none. Another one may have the same port at
    others."""
    words: list[str] = []
    for item in listen:
        if packed := procnet.octets(item):
            host = item if any(packed) else f"{item}/0"
            end = f"[{host}]:{port}" if ":" in item else f"{host}:{port}"
            words += ["or" if words else "(", "src", end]
    return [*words, ")"] if words else []


def dropped(listen: Sequence[str], port: int) -> int:
    """How many packets the open port has dropped; a client that gets no answer sends its first one several times."""
    if not (ends := at(listen, port)):
        return 0
    said = process.run(
        ["ss", "--no-header", "--listening", "--tcp", "--numeric", "--memory", *ends]
    )
    counts = (part.partition(")")[0] for part in said.split(",d")[1:])
    return sum(int(count) for count in counts if count.isdigit())
