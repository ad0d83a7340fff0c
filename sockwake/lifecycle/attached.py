"""What proofs of readiness need of a container whose output this process reads.

Both an engine's container and one of crun's have it. For type checking alone: typing costs 9 ms.
"""

from __future__ import annotations

from typing import Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sockwake.errors import SockwakeError


class Attached(Protocol):
    """A container that runs. fd: its output, to poll for relay(). tail: the end of that."""

    fd: int
    tail: bytes

    def relay(self, write: Callable[[bytes], object]) -> bool:
        """Read its output once and pass it to write(); False when the container has ended."""

    def how_it_ended(self) -> SockwakeError:
        """The error that tells why the container ended."""


class Started(Attached, Protocol):
    """One that this process has started, and stops."""

    def pid(self) -> int:
        """The host's number of its process 1."""

    def stop(self) -> None:
        """Stop it in order, and wait for that."""
