"""What sockwake-new --from is given: a dump, or the files of a cluster, and what they tell.

Only read here: nothing of it is changed, then or later.
"""

import os
import re
from collections.abc import Iterator

from sockwake.admin.make.origin import ARCHIVE, BACKUP, CLUSTER, DATA, SQL, TAR, Origin
from sockwake.config import envfile
from sockwake.errors import USAGE, SockwakeError, reason
from sockwake.lifecycle import backups
from sockwake.system import files

_HEAD, _TAIL = 1 << 20, 4096  # bytes that are looked at
_TAR_HEADER = 512  # bytes before the first file
_PACKED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ": "xz"}
_VERSION = re.compile(rb"^-- Dumped from database version (\d+)", re.MULTILINE)
_ARCHIVE_VERSION = re.compile(rb"[\0-\x20](\d{1,2})\.\d")
_ALL = b"-- PostgreSQL database cluster dump\n"
_ONE = b"-- PostgreSQL database dump\n"
_END_OF_ALL = b"-- PostgreSQL database cluster dump complete\n"
_END_OF_ONE = b"-- PostgreSQL database dump complete\n"
_FROM_ENV = ("VERSION", "IMAGE", "DB_USER", "DB_NAME")
_TAR = re.compile(r"(?:base|pg_wal|\d+)\.tar(?:\.(?:gz|lz4|zst))?")


def read(path: str) -> Origin:
    """Find out what there is at a path; raises SockwakeError for what cannot become an instance."""
    if os.path.isdir(path):
        return _directory(path)
    try:
        return _file(path)
    except FileNotFoundError:
        raise SockwakeError(f"there is no {path}", status=USAGE) from None
    except OSError as error:
        raise SockwakeError(f"cannot read {path}: {reason(error)}", status=USAGE) from None


def _directory(path: str) -> Origin:
    if backup := backups.at(path):
        return _backup(backup)
    if os.path.exists(f"{path}/PG_VERSION"):
        return _cluster(path)
    if os.path.exists(f"{path}/cluster.sql"):
        return _file(f"{path}/cluster.sql")
    if os.path.exists(f"{path}/toc.dat"):
        raise SockwakeError(
            f"{path} is a dump in the directory format",
            f"pg_restore --file=all.sql {path} makes a file of it",
            USAGE,
        )
    if any(_TAR.fullmatch(name) for name in os.listdir(path)):
        return _tars(path)
    raise SockwakeError(
        f"{path} is neither a base backup nor a dump",
        "it has no PG_VERSION, and no base.tar",
        USAGE,
    )


def _cluster(path: str) -> Origin:
    """Of the plain format of pg_basebackup, or of any cluster that is stopped."""
    version = files.read_plain(f"{path}/PG_VERSION").strip()
    _require_full(files.text_of(f"{path}/backup_label"), path)
    if os.path.exists(f"{path}/postmaster.pid"):
        raise SockwakeError(
            f"{path} has a postmaster.pid: a server is running on it, or did not stop cleanly",
            "stop that server first, or take a base backup of it",
        )
    _require_no_tablespace(path)
    return Origin(path, CLUSTER, int(version) if version.isdecimal() else 0)


def _require_full(label: str, path: str) -> None:
    if "INCREMENTAL FROM" in label:
        raise SockwakeError(
            f"{path} is an incremental backup", "pg_combinebackup makes a full one of it", USAGE
        )


def _require_no_tablespace(path: str) -> None:
    spaces = os.path.isdir(f"{path}/pg_tblspc") and os.listdir(f"{path}/pg_tblspc")
    if spaces or files.text_of(f"{path}/tablespace_map"):
        raise SockwakeError(
            f"{path} has tablespaces, which are outside of it", "a dump brings them", USAGE
        )


def _tars(path: str) -> Origin:
    """Of the tar format of pg_basebackup."""
    names = sorted(name for name in os.listdir(path) if _TAR.fullmatch(name))
    if spaces := [name for name in names if name[0].isdigit()]:
        raise SockwakeError(
            f"{path} has a tablespace, in {spaces[0]}", "a dump brings its tables", USAGE
        )
    base = next((name for name in names if name.startswith("base.")), "")
    if not base:
        raise SockwakeError(f"{path} has no base.tar", status=USAGE)
    version = _in_tar(f"{path}/{base}") if base.endswith((".tar", ".gz")) else ""
    return Origin(path, TAR, int(version) if version.isdecimal() else 0)


def _in_tar(path: str) -> str:
    """The text of PG_VERSION in a tar, of which backup_label comes first; raises SockwakeError."""
    import tarfile

    try:
        with tarfile.open(path) as archive:
            for member in archive:
                name = member.name.removeprefix("./")
                if name in ("PG_VERSION", "backup_label"):
                    found = archive.extractfile(member)
                    text = found.read(_TAIL).decode(errors="replace") if found else ""
                    if name == "PG_VERSION":
                        return text.strip()
                    _require_full(text, path)
    except (OSError, tarfile.TarError, EOFError) as error:
        raise SockwakeError(f"{path} cannot be read", said=str(error)) from None
    raise SockwakeError(f"{path} is no base backup: it has no PG_VERSION", status=USAGE)


def _backup(backup: backups.Backup) -> Origin:
    """Of a backup that sockwake has made."""
    if backup.facts.get("kind") not in (None, "postgres"):
        raise SockwakeError(
            f"{backup.path} is of kind '{backup.facts['kind']}', and no PostgreSQL", status=USAGE
        )
    backups.require_usable(backup)
    path = f"{backup.instance_files}/instance.env"
    lines = envfile.parse(files.text_of(path), path)
    told = {key: lines[key] for key in _FROM_ENV if lines.get(key)}
    major = re.match(r"\d+", told.get("VERSION", ""))
    databases = backup.facts.get("databases") or []
    secret = files.text_of(f"{backup.instance_files}/password").partition("\n")[0].strip()
    is_dump = backup.method == backups.DUMP
    return Origin(
        backup.path,
        BACKUP if is_dump else DATA,
        int(major[0]) if major else 0,
        creates=is_dump,
        databases=tuple((str(each["name"]), str(each["file"])) for each in databases),
        defaults=told,
        # a dump goes into a cluster that has a password of its own
        password="" if is_dump else secret,
    )


def _file(path: str) -> Origin:
    with open(path, "rb") as file:
        start = file.read(_HEAD)
        file.seek(-min(_TAIL, os.fstat(file.fileno()).st_size), os.SEEK_END)
        end = file.read()
    packed = next((program for magic, program in _PACKED.items() if start.startswith(magic)), "")
    if packed == "gzip":
        start = b"".join(_beginning(path))
    elif packed:
        return Origin(path, SQL, packed=packed, creates=True)
    if is_tar := start.startswith(b"toc.dat\0"):
        _require_whole_tar(path)
        start = start[_TAR_HEADER:]
    if start.startswith(b"PGDMP") or is_tar:
        version = _ARCHIVE_VERSION.search(start)
        return Origin(path, ARCHIVE, int(version[1]) if version else 0, packed)
    if not start.strip() or b"\0" in start:
        raise SockwakeError(f"{path} is no dump of a PostgreSQL", status=USAGE)
    is_of_all = _ALL in start[:_TAIL]
    last = _END_OF_ALL if is_of_all else _END_OF_ONE if _ONE in start else b""
    if last not in end and not packed:  # of what is packed it is known when it was unpacked
        raise _cut(path)
    version = _VERSION.search(start)
    creates = _ALL in start or b"\nCREATE DATABASE " in start
    return Origin(path, SQL, int(version[1]) if version else 0, packed, creates)


def _cut(path: str) -> SockwakeError:
    return SockwakeError(f"{path} is cut: it does not end as a dump does", "dump it again")


def _require_whole_tar(path: str) -> None:
    """Raise SockwakeError unless all of a dump in tar format is there.

    pg_restore takes what there is of one that was cut, or waits for the rest for ever.
    """
    import tarfile
    import zlib

    try:
        with tarfile.open(path) as archive:
            names = archive.getnames()
    except (OSError, EOFError, tarfile.TarError, zlib.error):
        names = []
    if "restore.sql" not in names:  # which is written last
        raise _cut(path)


def _beginning(path: str) -> Iterator[bytes]:
    """The beginning of what gzip has packed; raises SockwakeError when it cannot be read."""
    import gzip
    import zlib

    try:
        with gzip.open(path) as file:
            yield file.read(_HEAD)
    except (OSError, EOFError, zlib.error) as error:
        raise SockwakeError(f"{path} cannot be unpacked", said=str(error)) from None
