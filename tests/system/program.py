"""Run other programs; argv, status and output of one are shown when a test fails."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# seconds; nothing in here takes longer on a machine that works
PATIENCE = float(os.environ.get("SOCKWAKE_PATIENCE", "60"))


@dataclass(frozen=True)
class Ran:
    """One finished program."""

    argv: tuple[str, ...]
    status: int
    out: str
    err: str

    def __str__(self) -> str:
        said = f"stdout: {self.out}\nstderr: {self.err}"
        return f"$ {shlex.join(self.argv)}\n[status {self.status}]\n{said}"

    def expect(self, status: int, *texts: str) -> Ran:
        """Assert the exit status, and that each text is in stdout or stderr; returns itself."""
        assert self.status == status, f"status {status} was expected\n{self}"
        for text in texts:
            assert text in self.out + self.err, f"{text!r} was expected\n{self}"
        return self


def run(
    *argv: str,
    user: str = "",
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    cwd: str | None = None,
    timeout: float = PATIENCE,
) -> Ran:
    """Run a program, whatever its status. user: run it as this user. env: added to ours."""
    if user:
        argv = ("runuser", "-u", user, "--", *argv)
    try:
        done = subprocess.run(
            argv,
            check=False,
            env=_environment(env),
            input=stdin,
            cwd=cwd,
            timeout=timeout,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            errors="replace",
        )
    except subprocess.TimeoutExpired as late:
        raise AssertionError(
            f"$ {shlex.join(argv)}\ndid not end within {timeout:g} s; so far it said\n"
            f"stdout: {late.stdout!r}\nstderr: {late.stderr!r}\nwaiting: {_waiting()}"
        ) from None
    return Ran(tuple(argv), done.returncode, done.stdout, done.stderr)


def must(
    *argv: str,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    cwd: str | None = None,
    timeout: float = PATIENCE,
) -> str:
    """The stdout of a program that must succeed."""
    return run(*argv, env=env, stdin=stdin, cwd=cwd, timeout=timeout).expect(0).out


def start(*argv: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start a program beside the test; the caller ends it."""
    return subprocess.Popen(
        argv,
        env=_environment(env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


@contextmanager
def installed(source: str) -> Iterator[str]:
    """Install a program of the tests where a sandbox and other users can read it."""
    path = Path("/usr/local/bin") / f"{source.removesuffix('.py').replace('_', '-')}-of-the-tests"
    shutil.copy(Path(__file__).with_name(source), path)
    path.chmod(0o755)
    yield str(path)
    path.unlink()


def _waiting() -> str:
    """The processes of instances, their states, and what in the kernel each waits for."""
    listed = subprocess.run(
        ["ps", "-eo", "comm=,stat=,wchan:32=,cgroup:200="],
        check=False,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    return "; ".join(" ".join(line.split()[:-1]) for line in listed if "/pg-" in line)


def _environment(more: Mapping[str, str] | None) -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C.UTF-8", **(more or {})}
