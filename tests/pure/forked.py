"""bin/sockwake in forks of one process that has it imported.

A new Python takes a hundred milliseconds to get as far, and the ring runs the command some thousand
times. Each fork is a process of its own, with its own environment, directory and output, and the
process that it is forked from runs nothing else.
"""

from __future__ import annotations

import array
import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, NoReturn

_MODULES = ("sockwake.admin.cli", "sockwake.admin.make.new", "jinja2", "tempfile", "difflib")
_LONGEST = 1 << 20  # bytes of a request
_lock = threading.Lock()
_server: socket.socket | None = None


def can_run(env: dict[str, str] | None) -> bool:
    """Whether a fork is the same as a new process: a Python looks at these when it starts."""
    return not any(name.startswith(("LANG", "LC_", "PYTHON")) for name in env or {})


def run(words: list[str], env: dict[str, str], timeout: float) -> tuple[int, bytes, bytes]:
    """Run sockwake with stdin closed; returns (status, stdout, stderr).

    env: all of its environment. timeout: seconds. Raises TimeoutExpired, as subprocess does.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours:
            with theirs:
                request = json.dumps([words, env, os.getcwd()]).encode("utf-8", "surrogateescape")
                fds = array.array("i", [out.fileno(), err.fileno(), theirs.fileno()])
                _ask(request, fds)
            ours.settimeout(timeout)
            pid = int(ours.recv(100))
            try:
                status = int(ours.recv(100))
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(words, timeout) from None
        return status, _read(out), _read(err)


def _read(file: Any) -> bytes:
    file.seek(0)
    text: bytes = file.read()
    return text


def _ask(request: bytes, fds: array.array[int]) -> None:
    global _server
    with _lock:
        if _server is None:
            _server, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            for each in (_server, theirs):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * _LONGEST)
            with theirs:
                argv = [sys.executable, "-I", __file__, str(theirs.fileno())]
                process = subprocess.Popen(
                    argv, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
                )
            atexit.register(process.wait)
            atexit.register(_server.close)
        _server.sendmsg([request], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])


def _serve(listener: socket.socket) -> None:
    """Fork for each request until nothing asks any more."""
    for name in _MODULES:
        __import__(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # none is left for us to wait for
    size = array.array("i").itemsize
    while True:
        request, sent, _, _ = listener.recvmsg(_LONGEST, socket.CMSG_SPACE(3 * size))
        if not request:
            return
        fds = array.array("i")
        fds.frombytes(sent[0][2])
        if not os.fork():
            listener.close()
            _stand_by(request, *fds)
        for fd in fds:
            os.close(fd)


def _stand_by(request: bytes, out: int, err: int, answer: int) -> NoReturn:
    """Fork what does it, tell its pid, and then how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if not pid:
        os.close(answer)
        _become(request, out, err)
    os.write(answer, f"{pid}".encode())
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    try:
        os.write(answer, f"{status}".encode())
    finally:
        os._exit(0)


def _become(request: bytes, out: int, err: int) -> NoReturn:
    """Be what a new process of bin/sockwake is."""
    from sockwake.admin.cli import main

    words, env, directory = json.loads(request.decode("utf-8", "surrogateescape"))
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.closerange(3, 64)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = [str(Path(__file__).parents[2] / "bin/sockwake"), *words]
    status = 70  # a traceback was written
    try:
        status = main(words)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    finally:
        try:
            sys.stdout.flush()
        except OSError:
            status = 120  # as a Python ends that cannot write
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    _serve(socket.socket(fileno=int(sys.argv[1])))
