"""Archives that a machine's image has brought for an engine, and that no instance names any more.

One is ours when it is where sockwake-new writes them into a tree, with the mode that it gives, and
named as the image in it. Where it cannot be told which images the instances mean (projects,
variables, other files) all are needed.
"""

import json
import os
import re
import stat
import tarfile

from sockwake.admin import inventory
from sockwake.config import scope
from sockwake.config.settings import load
from sockwake.engine import archives
from sockwake.errors import SockwakeError
from sockwake.oci import names, store
from sockwake.system import files

_LONGEST = 1 << 20  # characters of a compose file
_UNTOLD = re.compile(r"\$|\b(?:include|extends)\b")
_OURS = re.compile(r"\$\{SOCKWAKE_[^}]*\}")  # paths and names, in what sockwake-new writes
_QUOTED = {"%2F": "/", "%3A": ":", "%25": "%"}


def unneeded(root: str = "") -> list[str]:
    """The paths of those that can go; raises OSError for one who may not read them."""
    if scope.is_user():
        return []
    place = store.archives(root)
    try:
        found = [name for name in sorted(os.listdir(place)) if _is_ours(place, name)]
    except FileNotFoundError:
        return []
    texts = _texts(root) if found else []
    if texts is None:
        return []
    return [f"{place}/{name}" for name in found if not any(_image(name) in text for text in texts)]


def image_of(path: str) -> str:
    """The name of the image in an archive."""
    return _image(os.path.basename(path))


def _is_ours(place: str, name: str) -> bool:
    status = os.lstat(f"{place}/{name}")
    is_private = stat.S_ISREG(status.st_mode) and stat.S_IMODE(status.st_mode) == 0o600
    if not is_private or status.st_uid != os.geteuid() or archives.file_of(_image(name)) != name:
        return False
    return any(names.same(_image(name), tag) for tag in _tags(f"{place}/{name}"))


def _tags(path: str) -> list[str]:
    """The names in an archive of docker's kind; none when it is no such."""
    try:
        with tarfile.open(path, "r:") as archive:
            manifest = archive.extractfile("manifest.json")
            return [str(tag) for tag in json.load(manifest)[0]["RepoTags"]] if manifest else []
    except (tarfile.TarError, OSError, ValueError, LookupError, TypeError):
        return []


def _image(name: str) -> str:
    """The name of the image, of which archives.file_of() has made a file's."""
    return re.sub("|".join(_QUOTED), lambda found: _QUOTED[found[0]], name.removesuffix(".tar"))


def _texts(root: str) -> list[str] | None:
    """The compose files of all instances; None when these do not tell which images they mean."""
    texts: list[str] = []
    try:
        for instance in [*inventory.instances(root), *inventory.unfinished(root)]:
            settings = load(instance)
            if settings.is_project:
                return None
            if settings.is_container:
                text = files.read_plain(instance.compose_file, _LONGEST)
                texts.append(_OURS.sub("", text).replace("${IMAGE}", settings.image))
    except (OSError, SockwakeError):
        return None
    return None if any(_UNTOLD.search(text) for text in texts) else texts
