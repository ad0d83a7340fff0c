"""pg_hba.conf: whether a client that comes through sockwake could log in by it.

Read as PostgreSQL's hba.c reads it: quotes, comments, continued lines, lists, includes and @files.
A cluster's directory belongs to another user, so that no link in it is followed.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from sockwake.errors import SockwakeError
from sockwake.system import files

NAME = "pg_hba.conf"
_PASSWORDS = frozenset({"scram-sha-256", "md5", "password", "ldap", "radius", "pam", "bsd"})
_CONTINUED, _INCLUDES = 14, 16  # since these versions
_LONGEST = 4 << 20  # characters
_DEEPEST = 10  # files that include each other
_BLANK = " \t\r\f\v"
_LOOPBACK = ipaddress.ip_address("127.0.0.1")


@dataclass(frozen=True)
class Word:
    """One item of a list. is_quoted: then it is only a name, whatever it says."""

    text: str
    is_quoted: bool


@dataclass(frozen=True)
class Line:
    """One line: lists of words, with the file that it is in and the number it begins at."""

    fields: list[list[Word]]
    path: str
    number: int

    @property
    def text(self) -> str:
        return " ".join(",".join(word.text for word in field) for field in self.fields)


@dataclass(frozen=True)
class Client:
    """How clients come: over TCP from the loopback with TLS, else through the unix socket."""

    user: str
    database: str
    tls: bool

    @property
    def line(self) -> str:
        """The line that lets all of them in by their passwords."""
        where = "host   all  all  127.0.0.1/32" if self.tls else "local  all  all"
        return f"{where}  scram-sha-256"


class Rules:
    """The lines of a cluster's pg_hba.conf. inside: where its server has pgdata."""

    def __init__(self, pgdata: str, inside: str, major: int) -> None:
        self._pgdata = pgdata
        self._inside = inside
        self._major = major

    def lines(self, path: str = "", depth: int = 0) -> Iterator[Line]:
        """Every line in order, with those of included files; raises SockwakeError and OSError."""
        path = path or f"{self._pgdata}/{NAME}"
        for number, text in _joined(self._read(path, depth), self._major >= _CONTINUED):
            fields = list(_fields(text))
            if not fields:
                continue
            directive = fields[0][0].text
            if self._major >= _INCLUDES and directive.startswith("include") and len(fields) == 2:
                for inner in self._included(directive, fields[1][0].text, path):
                    yield from self.lines(inner, depth + 1)
            else:
                yield Line(fields, path, number)

    def first(self, client: Client) -> Line | None:
        """The line that decides about a client; None when there is none: it is rejected."""
        return next((line for line in self.lines() if self._matches(line, client)), None)

    def _read(self, path: str, depth: int) -> str:
        if depth > _DEEPEST:
            raise SockwakeError(f"{path} is included too deep")
        return files.read_plain(path, _LONGEST)

    def _place(self, name: str, by: str) -> str:
        """A file that another names, on the host; raises SockwakeError when it is not there."""
        if not name.startswith("/"):
            return os.path.normpath(f"{os.path.dirname(by)}/{name}")
        for root in (self._inside, self._pgdata):
            if name.startswith(f"{root}/"):
                return os.path.normpath(self._pgdata + name.removeprefix(root))
        raise SockwakeError(f"{by} includes {name}, which is not in the cluster")

    def _included(self, directive: str, name: str, by: str) -> list[str]:
        if directive == "include_if_exists":
            try:
                place = self._place(name, by)
            except SockwakeError:
                return []
            return [place] if os.path.exists(place) else []
        place = self._place(name, by)
        if directive != "include_dir":
            return [place]
        names = sorted(os.listdir(place))
        return [f"{place}/{each}" for each in names if re.fullmatch(r"[^.].*\.conf", each)]

    def _matches(self, line: Line, client: Client) -> bool:
        kind = line.fields[0][0].text
        if len(line.fields) < 4 or not _is_way(kind, line, client):
            return False
        databases = self._names(line.fields[1], line.path)
        users = self._names(line.fields[2], line.path)
        return any(_is_database(word, client) for word in databases) and any(
            _is_user(word, client) for word in users
        )

    def _names(self, words: list[Word], by: str, depth: int = 0) -> Iterator[Word]:
        """The words of a list, with those of the files that it names by @."""
        for word in words:
            if word.is_quoted or len(word.text) < 2 or word.text[0] != "@":
                yield word
                continue
            path = self._place(word.text[1:], by)
            for _, text in _joined(self._read(path, depth), self._major >= _CONTINUED):
                for field in _fields(text):
                    yield from self._names(field, path, depth + 1)


def method(line: Line) -> str:
    """What a line demands of a client."""
    at = 3
    if line.fields[0][0].text != "local":
        at = 5 if _has_mask(line) else 4
    return line.fields[at][0].text if at < len(line.fields) else ""


def asks_for_a_password(line: Line) -> bool:
    return method(line) in _PASSWORDS


def _joined(text: str, continues: bool) -> Iterator[tuple[int, str]]:
    """(number, text) of every line, continued lines as one."""
    begun, whole = 0, ""
    for number, line in enumerate(text.split("\n"), 1):
        begun = begun or number
        if continues and line.endswith("\\"):
            whole += line[:-1]
            continue
        yield begun, whole + line
        begun, whole = 0, ""
    if whole:
        yield begun, whole


def _fields(line: str) -> Iterator[list[Word]]:
    """The fields of a line, each a list of words with commas between."""
    field: list[Word] = []
    at = 0
    while True:
        word, at, goes_on = _word(line, at)
        if word is None:
            break
        field.append(word)
        if not goes_on:
            yield field
            field = []
    if field:
        yield field


def _word(line: str, at: int) -> tuple[Word | None, int, bool]:
    """(word, where the next begins, whether a comma follows); no word at the line's end."""
    while at < len(line) and line[at] in _BLANK:
        at += 1
    text, in_quote, was_quote, is_quoted, begun = "", False, False, False, at
    while at < len(line) and (in_quote or line[at] not in _BLANK):
        char = line[at]
        if char == "#" and not in_quote:
            return (Word(text, is_quoted) if at > begun else None), len(line), False
        if char == "," and not in_quote:
            return Word(text, is_quoted), at + 1, True
        if char != '"' or was_quote:
            text += char
        was_quote = in_quote and char == '"' and not was_quote
        if char == '"':
            is_quoted |= not text and not in_quote
            in_quote = not in_quote
        at += 1
    return (Word(text, is_quoted) if at > begun else None), at, False


def _is_way(kind: str, line: Line, client: Client) -> bool:
    if not client.tls:
        return kind == "local"
    if kind not in ("host", "hostssl", "hostnogssenc") or len(line.fields) < 5:
        return False
    return any(_is_loopback(word.text, line) for word in line.fields[3])


def _is_loopback(address: str, line: Line) -> bool:
    if address in ("all", "samehost", "samenet", "localhost"):
        return True
    if _has_mask(line):
        address = f"{address}/{line.fields[4][0].text}"
    try:
        return _LOOPBACK in ipaddress.ip_network(address, strict=False)
    except ValueError:
        return False


def _has_mask(line: Line) -> bool:
    try:
        ipaddress.ip_address(line.fields[3][0].text)
    except ValueError:
        return False
    return True


def _is_database(word: Word, client: Client) -> bool:
    if not word.is_quoted:
        if word.text == "all":
            return True
        if word.text in ("sameuser", "samerole", "samegroup"):
            return client.user == client.database
        if word.text == "replication":
            return False
    return _is_name(word, client.database)


def _is_user(word: Word, client: Client) -> bool:
    if not word.is_quoted and word.text == "all":
        return True
    if not word.is_quoted and word.text.startswith("+"):
        return word.text[1:] == client.user
    return _is_name(word, client.user)


def _is_name(word: Word, name: str) -> bool:
    if word.text.startswith("/") and not word.is_quoted:
        try:
            return bool(re.search(word.text[1:], name))
        except re.error:
            return False
    return word.text == name
