"""An image of two layers that has in it what a file system can have, and what must come of it."""

from __future__ import annotations

import os

import image_store as store
from oci_archive import Member, directory, hard_link, link, tar
from program import run

NAME = "example.org/kept:1"
CAPABLE = "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
BELOW = tar(
    (
        directory("bin"),
        Member("bin/su", b"su", mode=0o4755),
        Member("bin/wall", b"wall", mode=0o2755, gid=5),
        Member("bin/ping", b"ping", mode=0o755, attributes={"security.capability": CAPABLE}),
        directory("data", 0o1770, 999, 998),
        Member("data/own", b"own", mode=0o600, uid=999, gid=998),
        hard_link("data/again", "data/own"),
        link("data/away", "/etc/passwd"),
        directory("gone"),
        Member("gone/file", b"gone"),
        directory("emptied"),
        Member("emptied/old", b"old"),
        Member("replaced", b"old"),
    )
)
ABOVE = tar(
    (
        Member(".wh.gone"),
        Member("emptied/.wh..wh..opq"),
        Member("emptied/new", b"new"),
        Member("replaced", b"new", mode=0o640, uid=7),
    )
)
EXPECTED = {
    "bin": ("drwxr-xr-x", 0, 0, ""),
    "bin/ping": ("-rwxr-xr-x", 0, 0, "ping"),
    "bin/su": ("-rwsr-xr-x", 0, 0, "su"),
    "bin/wall": ("-rwxr-sr-x", 0, 5, "wall"),
    "data": ("drwxrwx--T", 999, 998, ""),
    "data/again": ("-rw-------", 999, 998, "own"),
    "data/away": ("lrwxrwxrwx", 0, 0, "/etc/passwd"),
    "data/own": ("-rw-------", 999, 998, "own"),
    "emptied": ("drwxr-xr-x", 0, 0, ""),
    "emptied/new": ("-rw-r--r--", 0, 0, "new"),
    # mount points, which the layers lack
    **dict.fromkeys(("dev", "etc", "proc", "sys"), ("drwxr-xr-x", 0, 0, "")),
    **dict.fromkeys(("etc/hostname", "etc/hosts", "etc/resolv.conf"), ("-rw-r--r--", 0, 0, "")),
    "replaced": ("-rw-r-----", 7, 0, "new"),
}


def require_whole(digest: str) -> None:
    """The file system of the image is what its layers say, with mount points, and root's alone."""
    rootfs = store.rootfs(digest)
    assert store.described(rootfs) == EXPECTED
    assert os.path.samefile(rootfs / "data/own", rootfs / "data/again")
    assert os.getxattr(rootfs / "bin/ping", "security.capability") == CAPABLE.encode("latin-1")
    assert run("ls", str(store.place_of(digest)), user="nobody").status
    assert store.left() == []
