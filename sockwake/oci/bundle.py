"""The OCI bundles of instances: what crun runs, prepared when an instance is made or edited.

/var/lib/sockwake/bundles/NAME has

- config.json, the container (OCI runtime specification, "Filesystem Bundle");
- wake, for bin/container: the user of the server as UID:GID, the directory that is locked while it
  runs, and the file without which there is nothing to serve, one on a line;
- image and reference, the digest of the image it is made of, and the name compose.yaml has for it;
- image-before, the digest of the image that an update has replaced, to go back to;
- unproven, empty: there until an update has seen it answer with this image;
- etc, the files that are mounted into the container's /etc;
- root, the directory of the layer that the container writes to (oci/layers.py) and the image's file
  system below it, one on a line; missing where it writes to none, as a PostgreSQL;
- grace, the seconds that any other container has to end;
- health.json and health, what a healthcheck runs, for crun exec --process, and its seconds;
- host-network, empty: the container is on the host's network, and its proxy, too;
- made-of, copies of the files it is made of, by which bin/container finds that they were edited.
"""

from __future__ import annotations

import json
import os

from sockwake.config.instance import Instance
from sockwake.errors import SockwakeError, reason
from sockwake.oci import layers, needs
from sockwake.system import deletion, files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

UNPROVEN = "unproven"
_NEW, _OLD = ".new", ".old"  # behind the name; no Name has a "." in it


class Bundle:
    """What a bundle is to say.

    spec: its config.json. etc: texts of files to mount into the container's /etc, by name.
    image, reference: digest and name of its image. lock: the directory locked while it runs. proof:
    a file without which there is nothing to serve. before: the digest of the image that it had
    before an update, "" for none. more: texts of other files, by name.
    """

    def __init__(
        self,
        spec: dict[str, Any],
        etc: dict[str, str],
        *,
        image: str = "",
        reference: str = "",
        lock: str = "",
        proof: str = "",
        before: str = "",
        more: dict[str, str] | None = None,
    ) -> None:
        self.spec = spec
        self.etc = etc
        self.image = image
        self.reference = reference
        self.lock = lock
        self.proof = proof
        self.before = before
        self.more = more or {}

    @property
    def user(self) -> str:
        """UID:GID of its first process."""
        user = self.spec["process"]["user"]
        return f"{user['uid']}:{user['gid']}"


def path(instance: Instance) -> str:
    """Where the bundle of an instance is."""
    return f"{needs.directory(instance.root)}/{instance.name}"


def sources(instance: Instance) -> dict[str, str]:
    """The texts of the files that a bundle is made of, by name; raises SockwakeError."""
    found = {}
    for name in (instance.env_file, instance.compose_file, instance.variables_file):
        try:
            with open(name, encoding="utf-8", newline="") as file:
                found[os.path.basename(name)] = file.read()
        except FileNotFoundError:
            if name != instance.variables_file:
                raise SockwakeError(f"there is no {name}") from None
        except (OSError, UnicodeDecodeError) as error:
            why = reason(error) if isinstance(error, OSError) else "it is not UTF-8"
            raise SockwakeError(f"cannot read {name}: {why}") from None
    return found


def write(instance: Instance, bundle: Bundle, made_of: dict[str, str]) -> None:
    """Put a bundle in the place of the instance's old one, whole or not at all.

    made_of: what sources() said before anything was read of those files.
    """
    place = path(instance)
    texts = {
        "image": f"{bundle.image}\n",
        **({"image-before": f"{bundle.before}\n"} if bundle.before else {}),
        "reference": f"{bundle.reference}\n",
        "wake": f"{bundle.user}\n{bundle.lock}\n{bundle.proof}\n",
        **bundle.more,
        **{f"made-of/{name}": text for name, text in made_of.items()},
    }
    os.makedirs(os.path.dirname(place), 0o711, exist_ok=True)
    try:
        _write(place + _NEW, bundle, texts)
    except OSError:
        deletion.tree(place + _NEW, quietly=True)  # of a full disk what undoes the work has need
        raise
    deletion.tree(place + _OLD, quietly=True)
    if os.path.lexists(place):
        os.rename(place, place + _OLD)
    os.rename(place + _NEW, place)
    files.sync(os.path.dirname(place))
    deletion.tree(place + _OLD, quietly=True)
    layers.forget_unused(instance, layer(instance))


def write_passing(place: str, bundle: Bundle) -> None:
    """Write a bundle in /run that is used once, in place of what a killed run has left of one."""
    _write(place, bundle, {})


def _write(place: str, bundle: Bundle, texts: dict[str, str]) -> None:
    deletion.tree(place, quietly=True)
    for folder in ("", "/etc", "/made-of"):
        os.mkdir(f"{place}{folder}", 0o700)
    texts = texts | {"config.json": json.dumps(bundle.spec, indent=1)}
    for name, text in texts.items():
        files.write_new(f"{place}/{name}", 0o600, text)
    for name, text in bundle.etc.items():
        files.write_new(f"{place}/etc/{name}", 0o644, text)
    for folder in ("/etc", "/made-of", ""):
        files.sync(f"{place}{folder}")


def process_of(instance: Instance) -> dict[str, Any]:
    """The process of its config.json: what a command in the container is like, but for its words.

    Raises SockwakeError when it cannot be read.
    """
    try:
        with open(f"{path(instance)}/config.json", encoding="utf-8") as file:
            found: dict[str, Any] = json.load(file)["process"]
    except (OSError, ValueError, KeyError):
        raise SockwakeError(
            f"the bundle of '{instance.name}' cannot be read", "its next wake makes it anew"
        ) from None
    return found


def is_current(instance: Instance) -> bool:
    """Whether there is a bundle of the files as they are; bin/container decides alike.

    Raises PermissionError for a user who may not read it.
    """
    place = f"{path(instance)}/made-of"
    try:
        names = os.listdir(place)
        has_layer = not layer(instance) or layers.is_whole(layer(instance))
        read = {name: files.text_of(f"{place}/{name}") for name in names}
        return has_layer and sources(instance) == read
    except PermissionError:
        raise
    except OSError:
        return False


def remove(instance: Instance) -> None:
    """Remove the bundle of an instance, if there is one, and the directory of the last.

    With it goes what its container has written beside its mounts, as with an engine's.
    """
    layers.remove(instance)
    for left in (_NEW, _OLD, ""):
        deletion.tree(path(instance) + left, quietly=True)
    try:
        os.rmdir(os.path.dirname(path(instance)))
    except OSError:
        pass  # there are others


def layer(instance: Instance) -> str:
    """The directory of the layer that its container writes to, "" for none."""
    return files.text_of(f"{path(instance)}/root").partition("\n")[0]


def is_on_host_network(instance: Instance) -> bool:
    """Whether the proxy of a container has to be on the host's network."""
    return os.path.exists(f"{path(instance)}/host-network")


def image_of(instance: Instance) -> str:
    """The digest of the image that an instance needs, "" without a bundle."""
    return files.text_of(f"{path(instance)}/image").strip()


def state(instance: Instance) -> str:
    """The directory in which crun keeps what it knows of the instance's containers."""
    return f"{instance.run}/crun"


def image_before(instance: Instance) -> str:
    """The digest of the image that the last update has replaced, "" for none."""
    return files.text_of(f"{path(instance)}/image-before").strip()


def note_before(instance: Instance, digest: str) -> None:
    """Have image_before() be this digest, "" for none."""
    place = f"{path(instance)}/image-before"
    if digest:
        files.replace(place, 0o600, f"{digest}\n")
    else:
        files.remove(place)


def is_unproven(instance: Instance) -> bool:
    """Whether an update has given it its image, and not seen it answer with that."""
    return os.path.exists(f"{path(instance)}/{UNPROVEN}")


def forget_unproven(instance: Instance) -> None:
    """Note that it has answered."""
    files.remove(f"{path(instance)}/{UNPROVEN}")


def reference_of(instance: Instance) -> str:
    """The name that compose.yaml had for that image."""
    return files.text_of(f"{path(instance)}/reference").strip()


def argv(instance: Instance, directory: str = "", name: str = "", *options: str) -> list[str]:
    """The command that runs a bundle as a container.

    directory: of another bundle than the instance's everyday one. name: of its container.
    """
    place = directory or path(instance)
    return [*crun(instance), "run", *options, "--bundle", place, name or instance.name]


def exec_argv(instance: Instance) -> list[str]:
    """The command that asks the healthcheck of the container that runs."""
    process_file = f"{path(instance)}/health.json"
    return [*crun(instance), "exec", "--process", process_file, instance.name]


def crun(instance: Instance) -> list[str]:
    """The beginning of every command of crun's; bin/container has the same."""
    return ["crun", "--cgroup-manager=disabled", "--root", state(instance)]
