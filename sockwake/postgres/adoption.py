"""A cluster that was made elsewhere: whether clients can log in through us, and mending it."""

from __future__ import annotations

import os
import re

from sockwake.config.settings import pgdata
from sockwake.errors import SockwakeError, reason
from sockwake.postgres import hba
from sockwake.postgres.cluster import mount
from sockwake.postgres.hba import Client, Rules
from sockwake.system import files, safe_path

_CONF, _AUTO = "postgresql.conf", "postgresql.auto.conf"
_KEPT = "before-sockwake"
_SETTING = r"""(?im)^\s*{}(?:\s*=\s*|\s+)(?:'((?:[^']|'')*)'|([^\s#]+))"""
_LONGEST = 4 << 20  # characters
_OPTION = "--fix-hba writes it"


def setting(cluster: str, name: str) -> str:
    """A setting as the cluster's own files say it, "" when they do not; includes are not read."""
    found = ""
    for file in (_CONF, _AUTO):
        try:
            text = files.read_plain(f"{cluster}/{file}", _LONGEST)
        except OSError:
            continue
        for quoted, plain in re.findall(_SETTING.format(re.escape(name)), text):
            found = quoted.replace("''", "'") or plain
    return found


def require_login(cluster: str, major: int, client: Client) -> None:
    """Raise SockwakeError, with the line to write, unless clients could log in."""
    _require_files(cluster, _within(major))
    path = f"{cluster}/{hba.NAME}"
    if problem := _problem(cluster, major, client):
        raise SockwakeError(
            problem, f"write this line above all others of {path}: {client.line}; or {_OPTION}"
        )


def _within(major: int) -> str:
    """Where a server in a container finds its cluster."""
    return pgdata(mount(major), major)


def _require_files(cluster: str, within: str) -> None:
    """Raise SockwakeError when a file is elsewhere that the server needs beside its data."""
    for name in ("pg_wal", "pg_xlog"):
        if os.path.islink(f"{cluster}/{name}"):
            raise SockwakeError(
                f"{cluster}/{name} is a link to {os.readlink(f'{cluster}/{name}')}, "
                "which its container does not have",
                "move that directory here, in place of the link",
            )
    missing = [name for name in (_CONF, hba.NAME) if not os.path.exists(f"{cluster}/{name}")]
    if missing:
        raise SockwakeError(
            f"{cluster} has no {' and no '.join(missing)}: "
            "Debian's clusters have theirs in /etc/postgresql",
            f"copy them here and have {hba.NAME} ask for passwords; or --fix-hba writes new ones",
        )
    place = setting(cluster, "hba_file")
    if place and place not in (hba.NAME, f"{within}/{hba.NAME}", f"{cluster}/{hba.NAME}"):
        raise SockwakeError(
            f"{cluster}/{_CONF} says hba_file = '{place}', which its container does not have",
            f"take that line out; then {hba.NAME} beside it counts",
        )


def _problem(cluster: str, major: int, client: Client) -> str:
    """Why clients could not log in, or ""."""
    try:
        line = Rules(cluster, _within(major), major).first(client)
    except OSError as error:
        return f"{cluster}/{hba.NAME} cannot be read: {reason(error)} ({error.filename})"
    except SockwakeError as error:
        return error.message
    if line is None:
        return f"{cluster}/{hba.NAME} has no line for user '{client.user}' as clients come"
    if hba.asks_for_a_password(line):
        return ""
    where = f"{line.path}:{line.number} says: {line.text}"
    if hba.method(line) == "trust":
        return f"its server lets strangers in without a password: {where}"
    return f"clients could not log in, as to its server the proxy is the client: {where}"


class Mending:
    """The files of a cluster that --fix-hba has written, and what was there before."""

    def __init__(self, cluster: str, major: int, client: Client) -> None:
        self._cluster = cluster
        self._major = major
        self._client = client
        self.said: list[str] = []  # a sentence for each file
        self._written: list[tuple[str, str]] = []  # name, and that of the old file or ""

    def mend(self) -> None:
        """Write what is missing for clients to log in."""
        if not os.path.exists(f"{self._cluster}/{_CONF}"):
            self._write(_CONF, "# Written by sockwake-new --fix-hba, as there was none.\n")
            self.said.append(f"wrote an empty {self._cluster}/{_CONF}, as there was none")
        path = f"{self._cluster}/{hba.NAME}"
        if not os.path.exists(path) or _problem(self._cluster, self._major, self._client):
            head = "# Written by sockwake-new --fix-hba: clients log in with their passwords.\n"
            kept = self._write(hba.NAME, f"{head}{self._client.line}\n", keeps=True)
            was = f"; the old one is {self._cluster}/{kept}" if kept else ""
            self.said.append(f"wrote '{self._client.line}' into {path}{was}")

    def undo(self) -> None:
        """Put back what was there."""
        for name, kept in reversed(self._written):
            if kept:
                os.rename(f"{self._cluster}/{kept}", f"{self._cluster}/{name}")
            else:
                files.remove(f"{self._cluster}/{name}")
        self._written.clear()

    def _write(self, name: str, text: str, *, keeps: bool = False) -> str:
        """Write a file as its owner's; the old one stays under the name that is returned."""
        directory = safe_path.open_directory(self._cluster)
        try:
            at = f"/proc/self/fd/{directory}"
            owner = os.lstat(f"{at}/PG_VERSION").st_uid
            kept, rest = "", ""
            if keeps and os.path.lexists(f"{at}/{name}"):
                rest = self._rest(f"{at}/{name}")
                kept = _unused(at, f"{name}.{_KEPT}")
                os.link(f"{at}/{name}", f"{at}/{kept}", follow_symlinks=False)
            files.replace(f"{at}/{name}", 0o600, text + rest, owner)
        finally:
            os.close(directory)
        self._written.append((name, kept))
        return kept

    def _rest(self, path: str) -> str:
        """The old file's lines, when the server can read all of them; they stay below ours."""
        try:
            list(Rules(self._cluster, _within(self._major), self._major).lines())
            return files.read_plain(path, _LONGEST)
        except (OSError, SockwakeError):
            return ""


def _unused(directory: str, name: str) -> str:
    """The name, or the name with the first number that no file has."""
    number = 1
    found = name
    while os.path.lexists(f"{directory}/{found}"):
        number += 1
        found = f"{name}.{number}"
    return found
