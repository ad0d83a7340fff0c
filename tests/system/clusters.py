"""New clusters, kept for later tests: initdb takes two seconds of a processor."""

from __future__ import annotations

import shutil
from pathlib import Path

from database import Database
from program import must

# Of sockwake-new: what says nothing of the cluster, or of how it is made.
_BESIDE_IT = frozenset(
    "--allow --check --check-every --engine --idle --listen --runtime --session-idle --set".split()
)


class Clusters:
    """Copies in a folder, each as sockwake-new has made it for an instance of that name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, exist_ok=True)

    def serves(self, name: str, options: tuple[str, ...]) -> bool:
        """Whether sockwake-new with these options would make the same cluster as the copy."""
        return not _data(name).exists() and all(
            option in _BESIDE_IT for option in options if option.startswith("--")
        )

    def lay_out(self, name: str, version: str, options: tuple[str, ...]) -> None:
        """Put the copy, if there is one, where sockwake-new finds and adopts it."""
        kept = self._kept(name, version, options)
        if kept.exists():
            _data(name).parent.mkdir(exist_ok=True)  # purging the package takes it away
            must("cp", "--archive", str(kept), str(_data(name)))

    def keep(self, database: Database, version: str, options: tuple[str, ...]) -> None:
        """Copy the cluster of an instance without a client so far, as sockwake rm leaves it."""
        kept = self._kept(database.name, version, options)
        if not kept.exists():
            half = kept.with_suffix(".half")
            shutil.rmtree(half, ignore_errors=True)
            must("cp", "--archive", str(database.data), str(half))
            must(
                "cp",
                "--preserve=mode",
                str(database.etc / "password"),
                str(half / "sockwake-password"),
            )
            half.rename(kept)

    def _kept(self, name: str, version: str, options: tuple[str, ...]) -> Path:
        """Where the copy is: the host's own server makes another cluster than an image's."""
        return self._folder / "-".join([name, version, *(["host"] if "host" in options else [])])


def _data(name: str) -> Path:
    """Where sockwake-new looks for a cluster, unless it is told another place."""
    return Path("/var/lib/sockwake", name)
