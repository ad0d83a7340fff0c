"""The file "upgraded" of an instance: between which versions it moves, or has moved, and how far.

It is there from the first change until the cluster that is not served any more is forgotten.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, field, replace

from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.errors import EXISTS, SockwakeError
from sockwake.system import files

# the new cluster is being made; it shares its files with the old one, so that there is no way back;
# the clusters change places; the new one is served
MAKING, LINKED, SWITCHING, DONE = "making", "linked", "switching", "done"


@dataclass(frozen=True)
class Version:
    """What is served: VERSION= and IMAGE= of instance.env, and the digest of that image.

    image, digest: "" of a server of the host's; digest also where an engine has the image.
    """

    version: str
    image: str = ""
    digest: str = ""

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])


@dataclass(frozen=True)
class Upgraded:
    """One move. old: what was served before, whose cluster is kept. new: what is to be served.

    method: of sockwake upgrade. state: MAKING, LINKED, SWITCHING or DONE. is_back: both clusters
    were there before, and stay. finished: the time in seconds since 1970, 0 until then. login: the
    superuser's password then, as PostgreSQL keeps it (scram.verifier()), "" where it was not known:
    the old cluster has it. before, after: texts of the instance's files, by name, until then.
    checkpoint: that of the new cluster while it has never been served; "" where that is not known.
    """

    old: Version
    new: Version
    method: str
    state: str = MAKING
    is_back: bool = False
    finished: int = 0
    login: str = ""
    checkpoint: str = ""
    before: dict[str, str] = field(default_factory=dict)
    after: dict[str, str] = field(default_factory=dict)

    @property
    def is_shared(self) -> bool:
        """Whether the two clusters share their files, so that only one can ever be served."""
        return self.method == "link"

    def reversed(self) -> Upgraded:
        """The same, done, with the two the other way round."""
        return replace(self, old=self.new, new=self.old, state=DONE, before={}, after={})

    def done(self, login: str) -> Upgraded:
        """The same, done now."""
        made = replace(self, state=DONE, finished=int(time.time()), login=login)
        return replace(made, checkpoint="", before={}, after={})


def path(instance: Instance) -> str:
    """Where the file is."""
    return f"{instance.etc}/upgraded"


def read(instance: Instance) -> Upgraded | None:
    """What the file says, None without one; raises SockwakeError when it is damaged."""
    if not os.path.lexists(path(instance)):
        return None
    try:
        found = json.loads(files.text_of(path(instance)))
        return Upgraded(Version(**found.pop("old")), Version(**found.pop("new")), **found)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise SockwakeError(
            f"{path(instance)} is damaged", "sockwake(8), FILES, tells what it is"
        ) from None


def require_settled(instance: Instance) -> None:
    """Raise SockwakeError while a move is not done: its note has texts of the instance's files."""
    found = read(instance)
    if found and found.state != DONE:
        way = "--back" if found.is_back else f"--version {found.new.version}"
        raise SockwakeError(
            f"the upgrade of '{instance.name}' from PostgreSQL {found.old.version} to "
            f"{found.new.version} was not finished",
            f"{scope.command('sockwake upgrade', instance.name)} {way} goes on",
        )


def require_none(instance: Instance) -> None:
    """Raise SockwakeError while there is a second cluster, or one is being made."""
    require_settled(instance)
    if found := read(instance):
        raise SockwakeError(
            f"instance '{instance.name}' still has its cluster of PostgreSQL {found.old.version}",
            f"{scope.command('sockwake upgrade --forget', instance.name)} deletes it",
            EXISTS,
        )


def facts(instance: Instance) -> dict[str, object] | None:
    """What sockwake status tells; raises as read()."""
    found = read(instance)
    if not found:
        return None
    told = {"old": found.old.version, "new": found.new.version, "method": found.method}
    return {**told, "state": found.state, "finished": found.finished or None}


def write(instance: Instance, upgraded: Upgraded) -> Upgraded:
    """Write the file; returns what was written. The texts may have secrets in them."""
    told = asdict(upgraded)
    if not told["checkpoint"]:
        del told["checkpoint"]  # which earlier versions do not know
    files.replace(path(instance), 0o600, f"{json.dumps(told)}\n")
    return upgraded


def forget(instance: Instance) -> None:
    """Remove the file."""
    files.remove(path(instance))
    files.sync(instance.etc)
