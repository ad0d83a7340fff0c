"""Whether the server that answers in a container is there to stay.

Entrypoints of some images fill a new data directory through a temporary server on the very port. It
ends, and the script becomes the real one by exec.
"""

from __future__ import annotations

import os
import time

from sockwake.errors import SockwakeError
from sockwake.lifecycle.probe import Pace
from sockwake.system import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sockwake.config.instance import Instance
    from sockwake.config.settings import Settings
    from sockwake.lifecycle.probe import Wait

    # (whether the healthcheck passes, what it wrote); takes the seconds it may take at most, and
    # raises SockwakeError when it has no answer
    Ask = Callable[[float], tuple[bool, str]]

_SHELLS = ("sh", "ash", "bash", "busybox", "dash", "ksh", "mksh", "zsh")
_INITS = (  # "init" is that of a bundle (oci/spec.py)
    *("catatonit", "docker-init", "dumb-init", "init", "podman-init", "tini", "tini-static"),
)
# at the beginning of a command, and not for a redirection alone
_EXEC = r"(?m)(?:^|[;&|({]|\b(?:then|else|do))\s*exec\s+(?![0-9]*[<>])\S"
_LONGEST_SCRIPT = 1 << 18  # characters
_LINKS = 4  # at most, on the way to a script
_SETTLING = 1.0  # seconds that a server has to stay that a shell runs
_LOOK_EVERY = 0.05  # seconds
_LISTENING = "0A"  # include/net/tcp_states.h


def stays(
    pid: int, instance: Instance, settings: Settings, wait: Wait, deadline: float, ask: Ask | None
) -> bool:
    """Whether it is not a temporary one, and the healthcheck passes, if the container has one.

    pid: of its process 1. ask: asks the healthcheck. False: ask the server again. Raises
    SockwakeError when the healthcheck does not pass in time.
    """
    main = _main_process(pid)
    if os.path.basename(main[1]) in _SHELLS:
        known = f"{instance.fingerprint()} {main[1]}\n"
        if files.text_of(instance.process_one_file) != known:
            until = deadline if _will_exec(main) else time.monotonic() + _SETTLING
            if not _outlives(pid, settings.backend_port, main, wait, min(until, deadline)):
                return False
            files.replace_volatile(instance.process_one_file, known)
    if ask:
        _await_health(ask, settings, wait, deadline)
    return True


Main = tuple[int, str, bytes]  # process, path of its program, its words


def _main_process(pid: int) -> Main:
    """Process 1 of a container, or what an init as process 1 runs; pid: of process 1."""
    try:
        program = _program_of(pid)
        if os.path.basename(program) in _INITS:
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
                pid = int(file.read().split()[0])
            program = _program_of(pid)
        with open(f"/proc/{pid}/cmdline", "rb") as words:
            return pid, program, words.read()
    except (OSError, IndexError):
        return pid, "", b""


def _program_of(pid: int) -> str:
    return os.readlink(f"/proc/{pid}/exe")


def _outlives(pid: int, port: int, main: Main, wait: Wait, until: float) -> bool:
    """Whether process 1 and the listening socket are the same until then."""
    sockets = _listening(pid, port)
    while (left := until - time.monotonic()) > 0:
        wait(min(_LOOK_EVERY, left), -1)
        if _main_process(pid) != main or _listening(pid, port) != sockets:
            return False
    return True


def _listening(pid: int, port: int) -> set[str]:
    """The inodes of the sockets that listen on a port in the network namespace of a process."""
    found = set()
    for table in ("tcp", "tcp6"):
        for line in files.text_of(f"/proc/{pid}/net/{table}").splitlines():
            fields = line.split()
            if fields[1].endswith(f":{port:04X}") and fields[3] == _LISTENING:
                found.add(fields[9])
    return found


def _will_exec(main: Main) -> bool:
    """Whether a shell runs a script that has it replaced by another program."""
    import re  # 7 ms, of which no other container's wake has any use

    pid, _, words = main
    arguments = [word.decode(errors="replace") for word in words.split(b"\0")[1:] if word]
    while arguments and arguments[0].startswith("-"):
        if "c" in arguments.pop(0) and arguments:
            return bool(re.search(_EXEC, arguments[0]))
    return bool(arguments) and bool(re.search(_EXEC, _script(pid, arguments[0])))


def _script(pid: int, path: str) -> str:
    """The text of a file by its path in the container of a process, "" when it cannot be read."""
    for _ in range(_LINKS):
        outside = f"/proc/{pid}/{'root' if path.startswith('/') else 'cwd/'}{path}"
        try:
            if not os.path.islink(outside):
                return files.read_plain(outside, _LONGEST_SCRIPT)
            path = os.path.join(os.path.dirname(path), os.readlink(outside))
        except OSError:
            break
    return ""


def _await_health(ask: Ask, settings: Settings, wait: Wait, deadline: float) -> None:
    said = ""
    pace = Pace(0.02, 0.2, 1.0)
    while (left := deadline - time.monotonic()) > 0:
        try:
            passes, said = ask(left)
            if passes:
                return
        except SockwakeError:
            pass  # it has ended, as wait() finds, or it takes too long
        wait(max(min(pace.pause(), deadline - time.monotonic()), 0), -1)
    raise SockwakeError(
        f"its healthcheck did not pass within {settings.start_timeout:g} s",
        "healthcheck: {disable: true} in compose.yaml, if the server is well without it; or "
        "--start-timeout TIME (START_TIMEOUT=)",
        said=said,
    )
