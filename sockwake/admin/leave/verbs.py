"""The verbs by which an instance leaves for another home."""

import json
import os
import sys
from argparse import Namespace

from sockwake.admin.leave.targets import TARGETS
from sockwake.admin.option import DEBUG, DIRECTORIES, JSON, USER, Option
from sockwake.admin.parser import Verb
from sockwake.config import values
from sockwake.config.instance import Instance
from sockwake.errors import FAILED, USAGE, SockwakeError

_METHODS = tuple(dict.fromkeys(method for each in TARGETS.values() for method in each.methods))


def _export(arguments: Namespace) -> None:
    from sockwake.admin.leave import export, export_text

    if not arguments.to:
        raise SockwakeError("say where it is to go", f"--to is one of {', '.join(TARGETS)}", USAGE)
    if arguments.check == bool(arguments.output):
        raise SockwakeError(
            "say where the files are to be" if not arguments.output else "--check writes no files",
            "--output DIR, or --check for the preflight alone",
            USAGE,
        )
    wish = export.Wish(
        target=TARGETS[arguments.to],
        output=arguments.output or "",
        method=arguments.method or "",
        host=arguments.host or "",
        database=arguments.database or "",
    )

    def tell(found: export.Found) -> None:
        if not arguments.json:
            print(export_text.points(found), flush=True)

    found = export.export(Instance(arguments.name), wish, tell)
    if arguments.json:
        print(json.dumps(export.facts(found), indent=2, ensure_ascii=False))
    elif wish.output:
        print(export_text.written(found, wish.output))
    if export_text.stops(found):
        sys.exit(FAILED)


def _to(text: str) -> str:
    return values.one_of(text, tuple(TARGETS), "target")


def _method(text: str) -> str:
    return values.one_of(text, _METHODS, "method")


def _directory(text: str) -> str:
    """The absolute path of a directory that is to be made."""
    path = os.path.abspath(text)
    if path == "/" or not path.isprintable():
        raise SockwakeError(f"'{text}' is no directory for files", status=USAGE)
    return path


def _host(text: str) -> str:
    is_ipv6 = text.count(":") > 1
    if not text.isprintable() or set(text) & set(" /" if is_ipv6 else " /:"):
        raise SockwakeError(f"'{text}' is no name or address of a machine", status=USAGE)
    return text


VERBS = (
    Verb(
        "export",
        _export,
        "write what takes a PostgreSQL elsewhere: SQL, compose, Quadlet, Patroni, CloudNativePG",
        (
            Option(
                "--to", "TARGET", ", ".join(TARGETS), type=_to, required=True, words=tuple(TARGETS)
            ),
            Option(
                "--output",
                "DIR",
                "the directory of the files, which is made",
                type=_directory,
                complete=DIRECTORIES,
            ),
            Option("--check", help="only say what would be lost, and what is to be done"),
            Option(
                "--method",
                "METHOD",
                "how it goes there, where there are several ways",
                type=_method,
                words=_METHODS,
            ),
            Option("--database", "DB", "the only database that CloudNativePG imports", plain=True),
            Option("--host", "HOST", "the address at which the target reaches it", type=_host),
            JSON,
            USER,
            DEBUG,
        ),
        description="Look at a PostgreSQL, say what another home would not have of it, and write "
        "the files that take it there: a directory of ten files at most, whole or not at all.",
        has_name=True,
    ),
)
