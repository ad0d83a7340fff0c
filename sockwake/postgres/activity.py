"""Whether a PostgreSQL server is at work that a stop would break off, from its process titles.

Titles need neither password nor connection (PostgreSQL's ps_status.c; update_process_title, on by
default). An idle session's title ends in "idle"; a session without an activity counts as busy.
"""

from __future__ import annotations

import re

from sockwake.system import files

# "postgres: user database host(port) activity", with "[local]" for a unix socket, and
# "cluster_name: " after the first colon. The last host is the real one, as users and databases may
# have any name.
_SESSION = re.compile(r".* (?:\[local\]|\S+\(\d+\))(?: (?P<activity>.*))?", re.DOTALL)
_WORKER = re.compile(
    r"postgres: (?:.*: )?"
    r"(?:autovacuum worker|parallel worker|walreceiver"
    r"|logical replication (?:apply|tablesync|parallel))(?!:)",
    re.DOTALL,
)
_SILENT = "idle"


def is_busy(postmaster: int) -> bool:
    """Whether any child process of the server with this process id is at work."""
    return any(is_at_work(title) for title in _titles(postmaster))


def is_at_work(title: str) -> bool:
    """Whether a process title shows work: a query, an open transaction, replication, a vacuum."""
    if session := _SESSION.fullmatch(title):
        return session["activity"] != _SILENT
    return bool(_WORKER.match(title))


def _titles(postmaster: int) -> list[str]:
    titles = []
    for pid in files.text_of(f"/proc/{postmaster}/task/{postmaster}/children").split():
        titles.append(files.text_of(f"/proc/{pid}/cmdline").replace("\0", " ").strip())
    return titles
