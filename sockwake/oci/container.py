"""A container that crun runs outside the instance's unit: to make a cluster.

It offers what proofs of readiness need of a container (lifecycle/attached.py), as an engine's does.
"""

from __future__ import annotations

import _signal  # type: ignore  # the typeshed has no stub for it
import os
import select
import time

from sockwake.errors import SockwakeError
from sockwake.oci import bundle
from sockwake.system import deletion, files, pids, process, sdnotify

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sockwake.config.instance import Instance

_PIECE = 8192  # bytes for each read
_TAIL = 4096  # bytes
_LOOK_EVERY = 0.01  # seconds
_INSIST_EVERY = 1.0  # seconds between two stop signals
_SHUTDOWN = 300  # seconds to stop
_LEFT = 10  # seconds for what a killed process has left to end, and again after SIGKILL
_KILLED = 128  # crun's status for a container that a signal has ended, less its number


class Container:
    """One container of a PostgreSQL.

    argv: runs it, and writes the number of its process 1 into pid_file. state: crun's directory.
    """

    def __init__(self, argv: list[str], pid_file: str, state: str) -> None:
        self.fd = -1  # its output: what to poll for relay()
        self.last_line = b""
        self.tail = b""  # of its output
        self._argv = argv
        self._pid_file = pid_file
        self._state = state
        self._crun = pids.NONE
        self._child = 0
        self._status = 0  # of a child that has been waited for

    def start(self, timeout: float) -> None:
        """Start it, attached to its output; returns when crun has started its process 1.

        timeout: seconds. Raises SockwakeError.
        """
        deletion.tree(self._state, quietly=True)  # of a run that was killed
        files.remove(self._pid_file)
        self.fd, output = os.pipe()
        try:
            self._child = process.begin(self._argv, output)
        finally:
            os.close(output)
        self._crun = os.pidfd_open(self._child)
        deadline = time.monotonic() + timeout
        while not files.text_of(self._pid_file):  # crun makes the file, and then writes into it
            if pids.has_ended(self._crun):
                while self.relay(_drop):
                    pass
                raise self.how_it_ended()
            if time.monotonic() > deadline:
                raise SockwakeError(f"crun has not started its container within {timeout:g} s")
            time.sleep(_LOOK_EVERY)

    def pid(self) -> int:
        """The host's number of its process 1; raises SockwakeError when it has ended."""
        try:
            return int(files.text_of(self._pid_file))
        except ValueError:
            raise SockwakeError("its container has ended") from None

    def relay(self, write: Callable[[bytes], object]) -> bool:
        """Read its output once and pass it to write(); False when the container has ended."""
        chunk = os.read(self.fd, _PIECE) if self.fd >= 0 else b""
        if chunk:
            self.tail = (self.tail + chunk)[-_TAIL:]
            self.last_line = self.tail.rstrip(b"\n").rpartition(b"\n")[2]
            write(chunk)
        else:
            self._close_output()
        return bool(chunk)

    def _close_output(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def how_it_ended(self) -> SockwakeError:
        """The error that tells why the container ended: its exit status or signal."""
        status = self._reap()
        last = self.last_line.decode(errors="replace").strip()
        killed = -status if status < 0 else status - _KILLED
        how = f"was killed by signal {killed}" if killed > 0 else f"ended with status {status}"
        return SockwakeError(f"its container {how}", said=last)

    def stop(self) -> None:
        """Have it end by SIGINT, which crun passes on, and wait for that.

        An entrypoint that has not become its server yet is a process 1 without a handler, for which
        the kernel drops the signal: it is sent once a second. Raises SockwakeError when it has to
        be killed, by close(), after a time or as this process is asked to end.
        """
        deadline = time.monotonic() + _SHUTDOWN
        while not self._has_ended():
            if sdnotify.is_asked_to_end():
                raise SockwakeError("it was stopped while its cluster was made", "wake it again")
            if time.monotonic() > deadline:
                raise SockwakeError(f"its server had not ended {_SHUTDOWN} s after its stop signal")
            pids.send(self._crun, _signal.SIGINT)
            self._drain(min(time.monotonic() + _INSIST_EVERY, deadline))
        self.close()

    def close(self) -> None:
        """End it, if it runs, and forget it."""
        if not self._has_ended():
            self._kill()
        self._reap()
        self._close_output()  # before its end: a process whose disk does not answer keeps it open
        files.remove(self._pid_file)

    def _has_ended(self) -> bool:
        return self._crun == pids.NONE or pids.has_ended(self._crun)

    def _reap(self) -> int:
        """Wait for crun; its exit status, negative for a signal."""
        if self._child:
            self._status = os.waitstatus_to_exitcode(os.waitpid(self._child, 0)[1])
            pids.close(self._crun)
            self._child, self._crun = 0, pids.NONE
        return self._status

    def _drain(self, deadline: float) -> None:
        """Read its output until it ends, or until a time: a full pipe would hold it up."""
        poll = select.poll()
        poll.register(self._crun, select.POLLIN)
        while (left := deadline - time.monotonic()) > 0 and not self._has_ended():
            if self.fd >= 0:
                poll.register(self.fd, select.POLLIN)
            if any(fd == self.fd for fd, _ in poll.poll(1000 * left)):
                fd = self.fd
                if not self.relay(_drop):
                    poll.unregister(fd)

    def _kill(self) -> None:
        """Kill its process 1, with which the kernel ends all others in its namespace."""
        try:
            first = pids.of_our_unit(self.pid())
        except SockwakeError:
            first = self._crun  # there is none yet
        pids.send(first, _signal.SIGKILL)
        pids.send(self._crun, _signal.SIGKILL)


def end_left(instance: Instance) -> None:
    """End what a killed process has left running: the container that makes its cluster.

    Returns when its crun has ended, too: one that has only begun makes its container later, and any
    knows of the container's end last, and then writes where the caller deletes.
    """
    began = time.monotonic()
    while (passed := time.monotonic() - began) < 2 * _LEFT:
        for name in _known(instance):
            process.run([*bundle.crun(instance), "delete", "--force", name], check=False)
        running = [*_running(instance)]
        if not running:
            return
        for pidfd in running:
            if passed > _LEFT:
                pids.send(pidfd, _signal.SIGKILL)
            pids.has_ended(pidfd, _LOOK_EVERY)
            pids.close(pidfd)


def _known(instance: Instance) -> list[str]:
    """The containers of an instance that crun knows of."""
    try:
        return [name for name in os.listdir(bundle.state(instance)) if not name.startswith(".")]
    except OSError:
        return []


def _running(instance: Instance) -> Iterator[int]:
    """A pidfd of every crun that runs a container of an instance; the caller closes it."""
    argv = "\0".join(bundle.crun(instance))

    def is_it() -> bool:
        return files.text_of(f"/proc/{pid}/cmdline").startswith(f"{argv}\0")

    for pid in pids.every():
        if is_it() and (pidfd := pids.open_checked(pid, is_it)) != pids.NONE:
            yield pidfd


def _drop(_text: bytes) -> None:
    """Write nothing."""
