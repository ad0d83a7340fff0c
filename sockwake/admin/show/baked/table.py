"""The checks of sockwake check: a table. A new one is a function, and its line here."""

from collections.abc import Sequence

from sockwake.admin.show.baked import contents, package, secrets, sockets
from sockwake.admin.show.baked.subject import Baked, Check
from sockwake.admin.show.baked.tree import Tree
from sockwake.admin.show.doctor import instances
from sockwake.admin.show.doctor.finding import Finding, Found
from sockwake.admin.show.doctor.table import unmade
from sockwake.config import scope
from sockwake.errors import failure

CHECKS: dict[str, Check] = {
    "package": package.package,
    "program": package.programs,
    "broken": instances.broken,
    "definition": contents.definitions,
    "image": contents.images,
    "compose": contents.unsettled,
    "server": contents.host_servers,
    "data": contents.data,
    "socket": sockets.enabled,
    "preset": sockets.preset,
    "port": sockets.ports,
    "secret": secrets.secrets,
    "clone": secrets.clones,
    "mode": instances.modes,
}


def look(root: str, words: Sequence[str]) -> tuple[Baked, list[Found]]:
    """What all checks find in a tree; raises SockwakeError (unknown) for a name that is not there.

    root: "" for this machine. words: names and wildcards, none for all and the tree.
    """
    subject = Baked(Tree(root), words)
    found = []
    for name, check in CHECKS.items():
        try:
            for each in check(subject):
                found.append(Found(name, each))
        except PermissionError as error:  # without root
            found.append(Found(name, unmade(name, failure(error))))
    if not subject.every:
        found.insert(0, Found("instance", _nothing(subject)))
    return subject, found


def _nothing(subject: Baked) -> Finding:
    return Finding(
        f"there is no instance in {subject.where}",
        scope.command("sockwake new", "NAME", "--version", "18"),
    )
