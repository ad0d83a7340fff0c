"""What a PostgreSQL that is awake says of its sessions: pg_stat_activity, asked by psql(1).

Asked through the server's own unix socket, behind the proxy: that wakes no instance, and neither
the proxy nor a check counts it as a client.
"""

from __future__ import annotations

import json
import os
from typing import Any

from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.errors import SockwakeError
from sockwake.system import files, process

_PATIENCE = 5  # seconds for psql
_QUERY = """
SELECT coalesce(json_agg(s), '[]') FROM (
    SELECT pid, client_port, usename AS "user", datname AS database,
        application_name AS application, state,
        round(extract(epoch FROM clock_timestamp() - state_change))::int AS state_seconds,
        round(extract(epoch FROM clock_timestamp() - xact_start))::int AS transaction_seconds,
        wait_event_type AS waits_for, left(query, 200) AS query
    FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'
    ORDER BY backend_start
) s
"""


def ask(instance: Instance, settings: Settings) -> list[dict[str, Any]]:
    """The sessions, the oldest first.

    Each with "pid" and "client_port" (-1 of a unix socket) as the server sees them, "user",
    "database", "application", "state", "state_seconds", "transaction_seconds" (null without a
    transaction), "waits_for" and "query" (the last one, its beginning).
    Raises SockwakeError when the server cannot be asked.
    """
    socket = f"{instance.backend}/{settings.socket_name}"
    if not os.path.exists(socket):
        raise SockwakeError(f"PostgreSQL cannot be asked: there is no {socket}")
    if not process.exists("psql"):
        raise SockwakeError(
            "PostgreSQL cannot be asked without psql", "apt install postgresql-client"
        )
    words = ["--no-psqlrc", "--tuples-only", "--no-align", "--quiet", "--no-password"]
    place = {
        "PGHOST": instance.backend,
        "PGPORT": settings.socket_name.rpartition(".")[2],
        "PGUSER": settings.db_user,
        "PGDATABASE": settings.db_name,
        "PGPASSWORD": files.text_of(instance.password_file).strip(),
        "PGAPPNAME": "sockwake status",
        "PGCONNECT_TIMEOUT": f"{_PATIENCE}",
        "PGOPTIONS": f"-c statement_timeout={_PATIENCE}s",
    }
    try:
        answer = process.run(["psql", *words, "--command", _QUERY], env=place, timeout=_PATIENCE)
        return list(json.loads(answer))
    except process.ProgramError as error:
        raise SockwakeError("PostgreSQL could not be asked", said=error.said) from None
    except ValueError:
        raise SockwakeError("PostgreSQL's answer makes no sense") from None
