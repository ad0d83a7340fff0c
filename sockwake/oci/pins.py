"""While a bundle is written that needs an image, no image is removed.

This is not the lock of the images (oci/store.py), under which another may be fetched for as long as
that takes: no wake is to wait for a download.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from sockwake.config import scope
from sockwake.system import locks

_A_MOMENT = 60  # seconds that another process may have it


@contextmanager
def unchanged(root: str = "") -> Iterator[None]:
    """Have no image removed by another, and no bundle written, within a with statement."""
    place = f"{root}{scope.data()}"
    os.makedirs(place, 0o711, exist_ok=True)
    with locks.Directory(place, f"the lock of {place}", _A_MOMENT):
        yield
