"""The environment of a program that takes over the caller's terminal."""

import os

from sockwake.config import scope

# what a user has said about language, pager, editor and screen, and how psql and less behave
_TASTE = {
    *("COLORTERM", "COLUMNS", "EDITOR", "LANG", "LANGUAGE", "LESS", "LESSCHARSET", "LINES"),
    *("NO_COLOR", "PAGER", "PGAPPNAME", "PGCLIENTENCODING", "PGCONNECT_TIMEOUT", "PGDATESTYLE"),
    *("PGOPTIONS", "PGTZ", "PSQLRC", "PSQL_EDITOR", "PSQL_EDITOR_LINENUMBER_ARG", "PSQL_HISTORY"),
    *("PSQL_PAGER", "PSQL_WATCH_PAGER", "SYSTEMD_COLORS", "SYSTEMD_LESS", "SYSTEMD_PAGER"),
    *("TMPDIR", "TZ", "VISUAL"),
}


def environment() -> dict[str, str]:
    """Ours, with the caller's taste; nothing in it leads to another server."""
    taste = {
        name: value
        for name, value in scope.CALLER.items()
        if name in _TASTE or name.startswith("LC_")
    }
    return {**os.environ, **taste}
