"""Disks that can only be read by now, as behind an I/O error: what would end half-way there.

A port that was closed for it would stay closed, also when the disk can be written to again.
"""

import os

from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.errors import SockwakeError
from sockwake.oci import bundle, layers


def require_movable(instance: Instance, *places: str) -> None:
    """Raise SockwakeError when one of these cannot be moved or deleted, or what crun runs of it."""
    for place in (bundle.path(instance), *layers.paths(instance), *places):
        if os.path.lexists(place):
            require_writable(os.path.dirname(place))


def require_writable(directory: str, hint: str = "") -> None:
    """Raise SockwakeError when nothing in a directory can be written or deleted."""
    if not os.access(directory, os.W_OK):
        raise SockwakeError(f"cannot write {directory}: it is read-only", hint or scope.as_root())
