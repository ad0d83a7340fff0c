"""An archive of the container image that a tree of tests/machine is."""

from __future__ import annotations

import hashlib
import io
import json
import shlex
import sys
import tarfile
from pathlib import Path
from typing import Any

MACHINE = Path(__file__).resolve().parents[1] / "machine"
sys.path.insert(0, str(MACHINE))

import recipe  # noqa: E402

OCI = "application/vnd.oci.image"
# what a running container brings itself, and what only a package manager wants
LEFT_OUT = ("dev", "proc", "sys", "tmp", "var/lib/apt/lists")
LISTS = {"ENTRYPOINT": "Entrypoint", "CMD": "Cmd"}


def write(name: str, tree: Path, path: Path) -> None:
    """Write an OCI archive of the image of a tree of tests/machine.

    name: of the recipe. tree: the folder it has been built in.
    """
    image = recipe.load(name).image
    assert image, name
    layer = _layer(tree)
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": _config(image.changes),
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest(layer)}"]},
    }
    configured = json.dumps(config).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{OCI}.manifest.v1+json",
        "config": _part("config.v1+json", configured),
        "layers": [_part("layer.v1.tar", layer)],
    }
    listed = json.dumps(manifest).encode()
    named = {"org.opencontainers.image.ref.name": image.name}
    entry = _part("manifest.v1+json", listed) | {"annotations": named}
    files = {f"blobs/sha256/{digest(each)}": each for each in (layer, configured, listed)}
    files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
    files["oci-layout"] = b'{"imageLayoutVersion": "1.0.0"}'
    with tarfile.open(path, "w") as archive:
        for file, data in files.items():
            member = tarfile.TarInfo(file)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _part(kind: str, data: bytes) -> dict[str, Any]:
    digested = f"sha256:{digest(data)}"
    return {"mediaType": f"{OCI}.{kind}", "digest": digested, "size": len(data)}


def _layer(tree: Path) -> bytes:
    """The files of a tree as a tar file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as layer:
        for path in sorted(tree.rglob("*")):
            name = str(path.relative_to(tree))
            if not any(name.startswith(f"{each}/") for each in LEFT_OUT):
                layer.add(path, name, recursive=False)
    return out.getvalue()


def _config(changes: tuple[str, ...]) -> dict[str, Any]:
    """What lines of `docker import --change` say, as the configuration of an image has it."""
    found: dict[str, Any] = {"Env": []}
    for change in changes:
        word, _, rest = change.partition(" ")
        if word in LISTS:
            found[LISTS[word]] = json.loads(rest)
        elif word == "ENV":
            found["Env"] += shlex.split(rest)
        elif word == "STOPSIGNAL":
            found["StopSignal"] = rest
        elif word == "VOLUME":
            found.setdefault("Volumes", {})[rest] = {}
        elif word == "EXPOSE":
            found.setdefault("ExposedPorts", {})[f"{rest}/tcp"] = {}
        else:
            raise ValueError(f"'{change}' is not known here")
    return found
