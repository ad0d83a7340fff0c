"""Archives of images: what is in a file, whichever of the two kinds it is, and how to write one."""

import fcntl
import json
import lzma
import os
import stat
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import file_digest, sha256
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any, NamedTuple

from sockwake.errors import EXISTS, USAGE, SockwakeError, reason
from sockwake.oci import names, source, store
from sockwake.system import deletion, files

_DOCKERS, _OCIS = "manifest.json", "index.json"
_LONGEST = 16 << 20  # bytes of one of these two
_WORK = ".sockwake-save-"  # in the name of the directory in which an archive is made
_NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
_VND = "application/vnd.docker"
# what reading one that is damaged raises, compressed or not
_DAMAGE = (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, ValueError, RecursionError)


class Entry(NamedTuple):
    """An image in an archive, once for each of its names.

    place: a name of skopeo's for it. name: "postgres:18", or "".
    """

    place: str
    name: str


@contextmanager
def entries(path: str) -> Iterator[list[Entry]]:
    """The images in an archive; raises SockwakeError when it is none.

    skopeo splits its names at a colon: a link without one stands for the file meanwhile.
    """
    kind, listed = _read(path)
    with TemporaryDirectory(prefix="sockwake-") as folder:
        link = f"{folder}/{os.path.basename(path).replace(':', '_') or 'archive'}"
        os.symlink(os.path.abspath(path), link)
        found = [*(_dockers if kind == _DOCKERS else _ocis)(link, listed)]
        if not found:
            raise SockwakeError(f"{path} has no image in it", status=USAGE)
        yield found


def _read(path: str) -> tuple[str, Any]:
    """Which of the two lists a tar file has, compressed or not, and what is in it."""
    found: dict[str, bytes] = {}
    try:
        with open(path, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise SockwakeError(f"{path} is no file", status=USAGE)
            with tarfile.open(fileobj=file, mode="r:*") as archive:
                for member in archive:
                    name = member.name.removeprefix("./")
                    if name in (_DOCKERS, _OCIS) and member.isfile():
                        inside = archive.extractfile(member)
                        found[name] = inside.read(_LONGEST) if inside else b""
                    if name == _DOCKERS:
                        break
        for kind in (_DOCKERS, _OCIS):
            if kind in found:
                return kind, json.loads(found[kind])
    except _DAMAGE as error:
        hint = "decompress it first" if _is_zstd(path) else ""
        said = "" if "\n" in str(error) else str(error)  # tarfile tells all that it tried
        raise SockwakeError(f"{path} is no archive that can be read", hint, said=said) from None
    except OSError as error:
        raise SockwakeError(f"cannot read {path}: {reason(error)}", status=USAGE) from None
    raise SockwakeError(f"{path} is neither an OCI archive nor one of docker's", status=USAGE)


def _is_zstd(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(4) == b"\x28\xb5\x2f\xfd"


def _dockers(link: str, listed: Any) -> Iterator[Entry]:
    for number, image in enumerate(listed if isinstance(listed, list) else []):
        tags = image.get("RepoTags") if isinstance(image, dict) else None
        every = [names.checked(str(tag)) for tag in tags] if isinstance(tags, list) else []
        for named in dict.fromkeys(filter(None, every)) or [""]:
            yield Entry(f"docker-archive:{link}:@{number}", named)


def _ocis(link: str, listed: Any) -> Iterator[Entry]:
    manifests = listed.get("manifests") if isinstance(listed, dict) else None
    images = [each for each in manifests or [] if isinstance(each, dict)]
    for image in images:
        said = image.get("annotations")
        notes = said if isinstance(said, dict) else {}
        reference = str(notes.get(_NAMES[1], ""))
        if len(images) > 1 and not reference:
            continue  # skopeo cannot name it
        named = next((str(notes[key]) for key in _NAMES if ":" in str(notes.get(key, ""))), "")
        yield Entry(
            f"oci-archive:{link}" + (f":{reference}" if len(images) > 1 else ""),
            names.checked(named),
        )


def save(image: store.Image, path: str, name: str) -> None:
    """Write a new archive of docker's kind, which docker and podman load, whole or not at all.

    The image in it has one layer, and so a digest of its own. name: what it is called there, "" for
    no name.
    """
    _require_free(path)
    folder = os.path.dirname(os.path.abspath(path))
    with workplace(folder) as work:
        store.require_room(folder, 2 * image.size, path)
        _write_fetched(image, f"{work}/image")
        # in its directory, whose path may have a colon in it
        archive = "docker-archive:archive" + (f":{name}" if name else "")
        copy = ["skopeo", "copy", "--quiet", "dir:image", archive]
        source.run(copy, image, "saved", cwd=work)
        os.chmod(f"{work}/archive", 0o600)
        files.sync_file(f"{work}/archive")
        _require_free(path)  # one may have come meanwhile
        os.rename(f"{work}/archive", path)
        files.sync(folder)


@contextmanager
def workplace(folder: str) -> Iterator[str]:
    """A new directory in another one, for what an archive is made of there; then it is deleted.

    It is locked meanwhile: those of calls that were killed are not, and are deleted before.
    """
    _delete_left(folder)
    while True:
        work = mkdtemp(prefix=_WORK, dir=folder)
        lock = os.open(work, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.isdir(work):  # else another call has deleted it before it was locked
            break
        os.close(lock)
    try:
        yield work
    finally:
        deletion.tree(work, quietly=True)
        os.close(lock)


def _delete_left(folder: str) -> None:
    """Delete the directories that calls of this user's which were killed have left."""
    with os.scandir(folder) as found:
        left = [each for each in found if each.name.startswith(_WORK)]
    for each in left:
        try:
            lock = os.open(each.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:  # no directory, or another user's
            continue
        try:
            if os.fstat(lock).st_uid == os.geteuid():
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                deletion.tree(each.path, quietly=True)
        except BlockingIOError:
            pass  # it is still at work
        finally:
            os.close(lock)


def name_for(image: store.Image, asked: str) -> str:
    """What an image is called in an archive: as it was asked for by, or else by its first name.

    By none of a registry's digest, which no archive takes; "" when it has no other.
    """
    known = [each for each in image.notes.names if "@" not in each]
    return next((each for each in known if names.same(each, asked)), next(iter(known), ""))


def _require_free(path: str) -> None:
    if os.path.lexists(path):
        raise SockwakeError(f"{path} is there already", "choose another name", EXISTS)


def _write_fetched(image: store.Image, place: str) -> None:
    """Write the image as a directory "dir:" of skopeo's, with one layer."""
    os.mkdir(place)
    layer = f"{place}/layer"
    kept = ["--xattrs", "--xattrs-include=*", "--numeric-owner", "--sort=name", "--format=posix"]
    kept.append("--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime")
    source.run(
        ["tar", "--create", f"--file={layer}", *kept, f"--directory={image.rootfs}", "."],
        image,
        "saved",
    )
    with open(layer, "rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    os.rename(layer, f"{place}/{digest}")
    with open(image.config_file, encoding="utf-8") as file:
        whole = json.load(file)
    whole |= {"rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]}, "history": []}
    text = json.dumps(whole).encode()
    config = sha256(text).hexdigest()
    with open(f"{place}/{config}", "wb") as out:
        out.write(text)
    size = os.stat(f"{place}/{digest}").st_size
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{_VND}.distribution.manifest.v2+json",
        "config": _part("container.image.v1+json", config, len(text)),
        "layers": [_part("image.rootfs.diff.tar", digest, size)],
    }
    with open(f"{place}/manifest.json", "w", encoding="utf-8") as lines:
        json.dump(manifest, lines)
    with open(f"{place}/version", "w", encoding="utf-8") as lines:
        lines.write("Directory Transport Version: 1.1\n")


def _part(kind: str, digest: str, size: int) -> dict[str, Any]:
    return {"mediaType": f"{_VND}.{kind}", "digest": f"sha256:{digest}", "size": size}
