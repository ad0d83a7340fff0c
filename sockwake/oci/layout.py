"""From an image as skopeo fetched it to its file system, by umoci(1)."""

import json
import os
import shutil
from dataclasses import dataclass
from typing import Any

from sockwake.errors import SockwakeError
from sockwake.oci import mount_points, source
from sockwake.oci.names import hex_of

_TYPE = "application/vnd.oci.image"
_TAG = "image"


@dataclass(frozen=True)
class Fetched:
    """An image in a directory "dir:" of skopeo's, with all layers uncompressed.

    config, layers: digests; size: bytes of the layers.
    """

    place: str
    config: str
    layers: tuple[str, ...]
    size: int

    @property
    def config_file(self) -> str:
        return f"{self.place}/{hex_of(self.config)}"


def read(place: str, name: object) -> Fetched:
    """What has been fetched into a directory; raises SockwakeError when it is no container's."""
    try:
        with open(f"{place}/manifest.json", encoding="utf-8") as file:
            manifest = json.load(file)
        layers = tuple(str(layer["digest"]) for layer in manifest["layers"])
        size = sum(os.stat(f"{place}/{hex_of(digest)}").st_size for digest in layers)
        found = Fetched(place, str(manifest["config"]["digest"]), layers, size)
        with open(found.config_file, encoding="utf-8") as file:
            if not isinstance(json.load(file)["config"], dict):
                raise ValueError
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise SockwakeError(f"{name} is no image of a container") from None
    return found


def unpack(fetched: Fetched, rootfs: str, name: object) -> None:
    """Unpack the layers into a new directory; uses up what was fetched, except its configuration.

    umoci verifies each layer against the configuration, and follows no link out of the directory.
    What the image lacks of mount points is made: it may be read from where nothing can be written.
    """
    layout = f"{fetched.place}.oci"
    _write(fetched, layout)
    source.run(["umoci", "raw", "unpack", "--image", f"{layout}:{_TAG}", rootfs], name, "unpacked")
    shutil.rmtree(layout)
    mount_points.make(rootfs)


def _write(fetched: Fetched, layout: str) -> None:
    """Write an OCI image layout around the fetched layers, without a copy of them."""
    blobs = f"{layout}/blobs/sha256"
    os.makedirs(blobs)
    for digest in {fetched.config, *fetched.layers}:
        os.link(f"{fetched.place}/{hex_of(digest)}", f"{blobs}/{hex_of(digest)}")
    for digest in set(fetched.layers):
        os.unlink(f"{fetched.place}/{hex_of(digest)}")
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{_TYPE}.manifest.v1+json",
        "config": _descriptor(blobs, "config.v1+json", fetched.config),
        "layers": [_descriptor(blobs, "layer.v1.tar", digest) for digest in fetched.layers],
    }
    digest = _digest_of_new_blob(blobs, json.dumps(manifest))
    named = {"annotations": {"org.opencontainers.image.ref.name": _TAG}}
    index = {
        "schemaVersion": 2,
        "manifests": [_descriptor(blobs, "manifest.v1+json", digest) | named],
    }
    for name, text in (("index.json", index), ("oci-layout", {"imageLayoutVersion": "1.0.0"})):
        with open(f"{layout}/{name}", "w", encoding="utf-8") as file:
            json.dump(text, file)


def _descriptor(blobs: str, kind: str, digest: str) -> dict[str, Any]:
    size = os.stat(f"{blobs}/{hex_of(digest)}").st_size
    return {"mediaType": f"{_TYPE}.{kind}", "digest": digest, "size": size}


def _digest_of_new_blob(blobs: str, text: str) -> str:
    from hashlib import sha256

    name = sha256(text.encode()).hexdigest()
    with open(f"{blobs}/{name}", "w", encoding="utf-8") as file:
        file.write(text)
    return f"sha256:{name}"
