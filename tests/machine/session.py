"""Programs inside a machine that this one starts and listens to."""

from __future__ import annotations

import subprocess

import entry
from guest import Machine


def start(
    machine: Machine, command: list[str], stdin: int = subprocess.DEVNULL, stdout: int | None = None
) -> subprocess.Popen[str]:
    """Start `command` as root inside the machine, its stderr (and stdout) on a pipe."""
    argv, env = entry.prepared(machine, command, "root", tty=False)
    return subprocess.Popen(
        ["/usr/bin/nsenter", *argv[1:]],
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
        preexec_fn=lambda: entry.settle(machine),  # noqa: PLW1509 - one thread
    )


def ask(machine: Machine, command: list[str], timeout_s: float) -> tuple[int, str]:
    """Run a short command as root inside. Returns its status, and what it said or why not."""
    with start(machine, command, stdout=subprocess.PIPE) as child:
        try:
            out, err = child.communicate(timeout=max(timeout_s, 0.1))
        except subprocess.TimeoutExpired:
            child.kill()
            return 124, "no answer"
    return child.returncode, out.strip() or err.strip()
