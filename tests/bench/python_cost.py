"""What Python costs on the wake path: the interpreter, and the imports before main()."""

from __future__ import annotations

import os
import time
from typing import Any

# a name no instance can have: everything a wake imports is imported, and then it says no
PROGRAMS = {
    "true": ["/bin/true"],
    "interpreter": ["/usr/bin/python3", "-IS", "-c", "pass"],
    "waker": ["/usr/libexec/sockwake/waker", "NOT A NAME"],
}
STATUS = {"true": 0, "interpreter": 0, "waker": 2}


def measure(rounds: int) -> dict[str, Any]:
    """Milliseconds from starting each program to its end; they take turns."""
    samples: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for number in range(rounds + 1):
        for name, argv in PROGRAMS.items():
            took = _run(argv, STATUS[name])
            if number:
                samples[name].append(took)
    return {"samples": samples}


def _run(argv: list[str], wanted: int) -> float:
    silent = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1, 2)]
    before = time.perf_counter()
    pid = os.posix_spawn(
        argv[0], argv, {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}, file_actions=silent
    )
    _, status = os.waitpid(pid, 0)
    took = time.perf_counter() - before
    if os.waitstatus_to_exitcode(status) != wanted:
        raise RuntimeError(f"{argv} ended with {os.waitstatus_to_exitcode(status)}, not {wanted}")
    return 1000 * took
