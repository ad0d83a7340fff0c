"""The limits in instance.env: what an instance may use of the machine, and how many clients it has.

Imported on the wake path, so it imports next to nothing itself. sockwake-generator has the same
rules in sh: it makes MemoryMax=, CPUQuota= and TasksMax= of them.
"""

from __future__ import annotations

from sockwake.errors import USAGE, SockwakeError
from sockwake.kinds.table import KINDS

MEMORY, CPUS, PIDS, MAX_CLIENTS = "MEMORY", "CPUS", "PIDS", "MAX_CLIENTS"
_OF_THE_BACKEND = (MEMORY, CPUS, PIDS)
KEYS = (*_OF_THE_BACKEND, MAX_CLIENTS)
_FACTORS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_LEAST_MEMORY = 16 << 20  # bytes; a server needs more, and with less nothing says why it died
_MOST_MEMORY = (1 << 63) - 1  # what engines take; systemd would ignore much more, with no limit
_MOST_PIDS = 4_194_304  # the kernel's, PID_MAX_LIMIT
_FEWEST_CLIENTS, _MOST_CLIENTS = 2, 10_000  # the proxy's least, and what it takes without a limit


class Limits:
    """What an instance may use; 0 where there is no limit.

    memory: bytes. cpus: hundredths of a processor. pids: processes and threads. clients:
    connections at a time.
    """

    __slots__ = ("clients", "cpus", "memory", "pids")

    def __init__(self, lines: dict[str, str], kind: str) -> None:
        self.memory = _bytes(memory(lines[MEMORY])) if lines[MEMORY] else 0
        self.cpus = _hundredths(cpus(lines[CPUS])) if lines[CPUS] else 0
        self.pids = int(pids(lines[PIDS])) if lines[PIDS] else 0
        self.clients = int(max_clients(lines[MAX_CLIENTS])) if lines[MAX_CLIENTS] else 0
        if wrong := next((key for key in KEYS if lines[key] and not suits(key, kind)), ""):
            way_out = (
                "deploy.resources.limits of each service, in its compose file, are for that"
                if wrong in _OF_THE_BACKEND
                else "the program itself accepts its clients"
            )
            raise SockwakeError(f"{wrong} is not for an instance of kind '{kind}'", way_out)


def suits(key: str, kind: str) -> bool:
    """Whether instances of a kind can have a limit: a project's services have their own."""
    if key == MAX_CLIENTS:
        return not KINDS[kind].takes_socket
    return not KINDS[kind].has_several_ports


def memory(text: str) -> str:
    """text, when it is an amount of memory, as in 512M: of at least 16M, below 8 EiB."""
    number, factor = (text[:-1], text[-1]) if text[-1:] in _FACTORS else (text, "")
    if not _is_number(number, 15) or not _LEAST_MEMORY <= _bytes(text) <= _MOST_MEMORY:
        raise SockwakeError(
            f"memory '{text}' is not an amount from 16M to 8388607T",
            "write it as in 512M or 2G",
            USAGE,
        )
    return f"{number}{factor}"


def cpus(text: str) -> str:
    """text, when it is a number of processors with two decimals at most, as in 1.5."""
    whole, point, part = text.partition(".")
    valid = whole == "0" or _is_number(whole, 4)
    if point:
        valid = valid and 1 <= len(part) <= 2 and part.isascii() and part.isdigit()
    if not valid or not _hundredths(text):
        raise SockwakeError(
            f"'{text}' is not a number of processors", "write it as in 2, 0.5 or 1.25", USAGE
        )
    return text


def pids(text: str) -> str:
    """text, when it is a number of processes."""
    if not _is_number(text, 7) or int(text) > _MOST_PIDS:
        raise SockwakeError(
            f"'{text}' is not a number of processes from 1 to {_MOST_PIDS}", status=USAGE
        )
    return text


def max_clients(text: str) -> str:
    """text, when it is a number of clients that the proxy can keep to."""
    if not _is_number(text, 5) or not _FEWEST_CLIENTS <= int(text) <= _MOST_CLIENTS:
        raise SockwakeError(
            f"'{text}' is not a number of clients from {_FEWEST_CLIENTS} to {_MOST_CLIENTS}",
            status=USAGE,
        )
    return text


def _is_number(text: str, digits: int) -> bool:
    """Whether text is a number above 0 of so many digits at most."""
    return text.isascii() and text.isdigit() and text[0] != "0" and len(text) <= digits


def _bytes(text: str) -> int:
    factor = _FACTORS.get(text[-1], 0)
    return int(text[:-1]) * factor if factor else int(text)


def _hundredths(text: str) -> int:
    whole, _, part = text.partition(".")
    return int(whole) * 100 + int(part.ljust(2, "0") or "0")
