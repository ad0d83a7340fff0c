"""New clusters, kept for later tests: initdb takes two seconds of a processor."""

from __future__ import annotations

import shutil
from pathlib import Path

from database import Database
from program import must

# Of sockwake-new: what says nothing of the cluster, or of how it is made.
_BESIDE_IT = frozenset(
    {"--allow", "--check", "--check-every", "--idle", "--listen", "--session-idle", "--set"}
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

    def lay_out(self, name: str, version: str) -> None:
        """Put the copy, if there is one, where sockwake-new finds and adopts it."""
        kept = self._kept(name, version)
        if kept.exists():
            _data(name).parent.mkdir(exist_ok=True)  # purging the package takes it away
            must("cp", "--archive", str(kept), str(_data(name)))

    def keep(self, database: Database, version: str) -> None:
        """Copy the cluster of an instance without a client so far, as sockwake rm leaves it."""
        kept = self._kept(database.name, version)
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

    def _kept(self, name: str, version: str) -> Path:
        return self._folder / f"{name}-{version}"


def _data(name: str) -> Path:
    """Where sockwake-new looks for a cluster, unless it is told another place."""
    return Path("/var/lib/sockwake", name)
