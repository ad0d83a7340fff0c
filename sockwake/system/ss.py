"""The TCP connections to the port of an instance, and what the kernel knows of each: ss(8)."""

from __future__ import annotations

from sockwake.system import process, procnet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Places = Sequence[tuple[str, int]]  # addresses, or paths, of an instance, each with its port

# without an acknowledgement: a living peer sends one every minute (keepalive), or with data on the
# way every two (retransmission, probe of a closed window)
_GONE_AFTER = 150  # seconds


class Connection:
    """One connection, from a line of ss.

    remote: the client's address and port, as ss writes them. outstanding: bytes that it has not
    acknowledged. since_ack, since_byte: seconds since its last acknowledgement, and since the last
    byte either way.
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
        """Whether the client has vanished without a FIN, with bytes outstanding.

        Without them, keepalive ends the connection.
        """
        return self.outstanding > 0 and self.since_ack >= _GONE_AFTER


_UNIX = ("ss", "--no-header", "--unix", "--numeric", "state", "connected")
_OTHER_END = 6  # the column of what a unix socket is connected to, at least
_TIMES = ("lastsnd", "lastrcv", "lastack")

_STATES = ("state", "established", "state", "close-wait")


def each(places: Places) -> Iterator[Connection]:
    """Every connection to an instance that is open, or closed by the client's side alone."""
    if not (ends := at(places)):
        return iter(())
    said = process.run(
        ["ss", "--no-header", "--oneline", "--tcp", "--numeric", "--info", *_STATES, *ends]
    )
    return map(Connection, said.splitlines())


def kill(places: Places, remote: str) -> None:
    """Reset a connection (ss --kill), which only root may; does nothing when it has closed."""
    process.run(
        ["ss", "--kill", "--tcp", "--numeric", *_STATES, *at(places), "dst", remote], check=False
    )


def at(places: Places) -> list[str]:
    """The filter of ss for the TCP addresses of an instance, empty when it has none.

    By address, because another instance may have the same port at other addresses.
    """
    words: list[str] = []
    for item, port in places:
        if packed := procnet.octets(item):
            host = item if any(packed) else f"{item}/0"
            end = f"[{host}]:{port}" if ":" in item else f"{host}:{port}"
            words += ["or" if words else "(", "src", end]
    return [*words, ")"] if words else []


def dropped(places: Places) -> int:
    """How many packets the listening port has dropped: several for each client."""
    if not (ends := at(places)):
        return 0
    said = process.run(
        ["ss", "--no-header", "--listening", "--tcp", "--numeric", "--memory", *ends]
    )
    counts = (part.partition(")")[0] for part in said.split(",d")[1:])
    return sum(int(count) for count in counts if count.isdigit())


def unix_peers(path: str) -> dict[str, str]:
    """The inode of each socket that is connected to a unix socket's path, and that it talks to."""
    said = process.run([*_UNIX, "src", path], check=False)
    rows = [line.split() for line in said.splitlines()]
    return {
        row[-1]: row[-3] for row in rows if path in row and row[-1].isdigit() and row[-1] != "0"
    }


def unix_ends(pid: int = 0) -> dict[int, int]:
    """The inode at the other end of every connected unix socket, by its own.

    pid: a process in whose network they were made, which takes root; 0 for this process's own.
    """
    enter = ["nsenter", f"--net=/proc/{pid}/ns/net"] if pid else []
    rows = [line.split() for line in process.run([*enter, *_UNIX], check=False).splitlines()]
    ends = [(row[-3], row[-1]) for row in rows if len(row) > _OTHER_END]
    return {int(own): int(other) for own, other in ends if own.isdigit() and other.isdigit()}
