"""The main process of a PostgreSQL server: find it, and see whether it takes queries."""

import _socket
import sys

from sockwake.system import files, unix_socket

_MOST = 8192  # characters of postmaster.pid, which another user can write


def listener(socket_path: str) -> int:
    """The process that listens on a unix socket, by the host's number; 0 for none."""
    try:
        sock = unix_socket.connect(socket_path, 10)
    except OSError:
        return 0
    try:
        credentials = sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
    finally:
        sock.close()
    return int.from_bytes(credentials[:4], sys.byteorder)


def is_main_process(pid: int) -> bool:
    """Whether a process is process 1 of its container.

    The official image initialises with a temporary server on the same socket, which is not.
    """
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            ids: list[str] = next((line.split() for line in file if line.startswith("NSpid:")), [])
    except OSError:
        return False
    return len(ids) > 2 and ids[-1] == "1"


def is_settled(pid: int) -> bool:
    """Whether the server with this process id takes queries, from line 8 of its postmaster.pid.

    Read through its working directory, which is PGDATA wherever that is mounted. A connection
    instead would leave a FATAL in the log for every early probe. States: PostgreSQL's miscadmin.h.
    """
    return _is_ready(_lines(pid))


def has_taken_over(pid: int) -> bool:
    """Whether process 1 of a container, by the host's number, has become a server that is settled.

    Asks nothing of the temporary server of an entrypoint that still initialises.
    """
    lines = _lines(pid)
    return lines[0].strip() == "1" and _is_ready(lines)


def elsewhere(cluster: str, *directories: str) -> str:
    """The setting by which a cluster's server listens on another socket than that of port 5432.

    directories: where that is. "" where it is none, or not known.
    """
    try:
        lines = files.read_plain(f"{cluster}/postmaster.pid", _MOST).split("\n")
    except OSError:
        return ""
    port, directory = (each.strip() for each in [*lines[3:5], "", ""][:2])
    if port.isdecimal() and port != "5432":
        return f"port = {port}"
    is_other = directory and directory not in directories
    return f"unix_socket_directories = '{directory}'" if is_other else ""


def _lines(pid: int) -> list[str]:
    """Those of the postmaster.pid in the working directory of a server; one empty without it."""
    try:
        return files.read_plain(f"/proc/{pid}/cwd/postmaster.pid", _MOST).split("\n")
    except OSError:
        return [""]


def _is_ready(lines: list[str]) -> bool:
    return len(lines) > 7 and lines[7].strip() in ("ready", "standby")
