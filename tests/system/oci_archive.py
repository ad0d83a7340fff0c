"""Archives of images, written byte by byte, so that anything can be in them."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

OCI = "application/vnd.oci.image"


class Member(NamedTuple):
    """An entry of a layer: its fields as tar has them, and what is in it."""

    name: str
    data: bytes = b""
    kind: bytes = tarfile.REGTYPE
    target: str = ""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    device: tuple[int, int] = (0, 0)
    attributes: dict[str, str] | None = None


def directory(name: str, mode: int = 0o755, uid: int = 0, gid: int = 0) -> Member:
    return Member(name, kind=tarfile.DIRTYPE, mode=mode, uid=uid, gid=gid)


def link(name: str, target: str) -> Member:
    return Member(name, kind=tarfile.SYMTYPE, target=target, mode=0o777)


def hard_link(name: str, target: str) -> Member:
    return Member(name, kind=tarfile.LNKTYPE, target=target)


def tar(members: Iterable[Member]) -> bytes:
    """A tar file of these entries."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for member in members:
            info = tarfile.TarInfo(member.name)
            info.type, info.linkname, info.mode = member.kind, member.target, member.mode
            info.uid, info.gid, info.size = member.uid, member.gid, len(member.data)
            info.devmajor, info.devminor = member.device
            named = (member.attributes or {}).items()
            info.pax_headers = {f"SCHILY.xattr.{name}": value for name, value in named}
            archive.addfile(info, io.BytesIO(member.data))
    return out.getvalue()


class Made(NamedTuple):
    """An archive. digest: of the configuration of its (last) image."""

    path: Path
    digest: str


def digest_of(data: bytes) -> str:
    return f"sha256:{sha256(data).hexdigest()}"


def configuration(layers: Iterable[bytes], config: dict[str, Any] | None) -> bytes:
    """What the image says of itself."""
    whole = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": ["/run"], "Env": ["A=1"]} if config is None else config,
        "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]},
    }
    return json.dumps(whole).encode()


def dockers(
    path: Path, name: str, *layers: bytes, config: dict[str, Any] | None = None, mode: str = "w"
) -> Made:
    """Write an archive of docker's kind. name: or several. mode: of tarfile.open(), as "w:gz"."""
    configured = configuration(layers, config)
    named = f"{sha256(configured).hexdigest()}.json"
    files = {f"{sha256(layer).hexdigest()}.tar": layer for layer in layers}
    listed = [{"Config": named, "RepoTags": name.split() or None, "Layers": list(files)}]
    files |= {named: configured, "manifest.json": json.dumps(listed).encode()}
    write(path, files, mode)
    return Made(path, digest_of(configured))


def ocis(
    path: Path, name: str, *layers: bytes, config: dict[str, Any] | None = None, mode: str = "w"
) -> Made:
    """Write an OCI archive."""
    configured = configuration(layers, config)
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": f"{OCI}.manifest.v1+json",
            "config": part("config.v1+json", configured),
            "layers": [part("layer.v1.tar", layer) for layer in layers],
        }
    ).encode()
    named = {"org.opencontainers.image.ref.name": name} if name else {}
    index = {
        "schemaVersion": 2,
        "manifests": [part("manifest.v1+json", manifest) | {"annotations": named}],
    }
    files = {f"blobs/sha256/{sha256(each).hexdigest()}": each for each in (*layers, configured)}
    files |= {
        f"blobs/sha256/{sha256(manifest).hexdigest()}": manifest,
        "index.json": json.dumps(index).encode(),
        "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
    }
    write(path, files, mode)
    return Made(path, digest_of(configured))


def part(kind: str, data: bytes) -> dict[str, Any]:
    return {"mediaType": f"{OCI}.{kind}", "digest": digest_of(data), "size": len(data)}


def write(path: Path, files: dict[str, bytes], mode: str = "w") -> None:
    """Write a tar file of these files, compressed or not."""
    with tarfile.open(str(path), mode) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def many_files(count: int = 3000) -> bytes:
    """A layer whose unpacking takes a while."""
    return tar(Member(f"f{number:05}", os.urandom(4000)) for number in range(count))
