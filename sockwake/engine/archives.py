"""Archives of images that came with the machine, for an engine that has not loaded them yet."""

from __future__ import annotations

import os

from sockwake.config import scope

# where sockwake-new puts them into a tree, and where a package or an image may ship them
PLACES = ("/var/lib/sockwake/images/archives", "/usr/share/sockwake/images/archives")


def file_of(image: str) -> str:
    """The name of the archive of an image, by the name that a compose file has for it."""
    quoted = {"%": "%25", "/": "%2F", ":": "%3A"}
    return "".join(quoted.get(each, each) for each in image) + ".tar"


def find(image: str) -> str:
    """The path of its archive, "" when none came along; a user's own images have none."""
    if scope.is_user():
        return ""
    paths = (f"{place}/{file_of(image)}" for place in PLACES)
    return next(filter(os.path.exists, paths), "")
