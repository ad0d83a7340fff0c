"""Whether a PostgreSQL does something that a stop would break off, from the titles of its processes.

They are there without a password and without a connection (PostgreSQL's ps_status.c; update_process_title, on by
default). A silent session is told from a busy one by its title's end; where titles do not tell, it counts as busy.
"""

from __future__ import annotations

import re

from sockwake.system import files

# "postgres: user database host(port) activity", with "[local]" for a unix socket, and "cluster_name: " after the first
# colon. The last host is the real one: users and databases may be called anything.
_SESSION = re.compile(r".* (?:\[local\]|\S+\(\d+\))(?: (?P<activity>.*))?", re.DOTALL)
_WORKER = re.compile(
    r"postgres: (?:.*: )?(?:autovacuum worker|parallel worker|walreceiver|logical replication (?:apply|tablesync|parallel))(?!:)",
    re.DOTALL,
)
_SILENT = "idle"


def is_busy(postmaster: int) -> bool:
    """Whether any process of the server with this process id is at work for somebody."""
    return any(is_at_work(title) for title in _titles(postmaster))


def is_at_work(title: str) -> bool:
    """Whether a process of this title is: a query, an open transaction, a replication sender, a vacuum."""
    if session := _SESSION.fullmatch(title):
        return session["activity"] != _SILENT
    return bool(_WORKER.match(title))


def _titles(postmaster: int) -> list[str]:
    titles = []
    for pid in files.text_of(f"/proc/{postmaster}/task/{postmaster}/children").split():
        titles.append(files.text_of(f"/proc/{pid}/cmdline").replace("\0", " ").strip())
    return titles
