"""The places in an image at which every container has something mounted.

crun makes those that an image lacks, in the image. It cannot where the image is on a file system
that nothing writes to, as a system extension or a /usr of squashfs. Engines make the same ones.
"""

from __future__ import annotations

import os

from sockwake.oci.mounts import FILES
from sockwake.oci.rootfs import resolved

_DIRECTORIES = ("/dev", "/etc", "/proc", "/sys")


def make(rootfs: str) -> None:
    """Make what the image lacks of them; every time in it stays as it was unpacked."""
    for path in _DIRECTORIES:
        _make(rootfs, path, is_file=False)
    for name in FILES:
        _make(rootfs, f"/etc/{name}", is_file=True)


def _make(rootfs: str, path: str, *, is_file: bool) -> None:
    above = rootfs + resolved(rootfs, os.path.dirname(path))
    place = f"{above}/{os.path.basename(path)}"
    if os.path.lexists(place) or not os.path.isdir(above):
        return
    had = os.stat(above)
    if is_file:
        os.close(os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
    else:
        os.mkdir(place, 0o755)
    for changed in (place, above):  # the same image gives the same bytes
        os.utime(changed, ns=(had.st_atime_ns, had.st_mtime_ns))
