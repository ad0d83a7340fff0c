"""How an image is known on this host: notes.json beside it, written whole or not at all."""

import json
from dataclasses import dataclass

from sockwake.system import files


@dataclass(frozen=True)
class Notes:
    """names: as in "postgres:18". engine_ids: what engines call it that have IDs of their own."""

    names: tuple[str, ...] = ()
    engine_ids: tuple[str, ...] = ()

    def plus(self, name: str, engine_id: str) -> "Notes":
        """The notes with a name and an ID more, "" for none."""
        return Notes(_with(self.names, name), _with(self.engine_ids, engine_id))

    def minus(self, name: str) -> "Notes":
        """The notes when another image has got the name."""
        return Notes(tuple(each for each in self.names if each != name), self.engine_ids)


def read(image: str) -> Notes:
    """The notes beside the image in this directory; none when they are missing or damaged."""
    try:
        noted = json.loads(files.text_of(f"{image}/notes.json"))
        names, ids = (tuple(map(str, noted[key])) for key in ("names", "engine_ids"))
    except (ValueError, LookupError, TypeError, RecursionError):
        return Notes()
    return Notes(names, ids)


def write(image: str, notes: Notes) -> None:
    """Write the notes beside the image in this directory."""
    text = {"names": list(notes.names), "engine_ids": list(notes.engine_ids)}
    files.replace(f"{image}/notes.json", 0o644, f"{json.dumps(text, indent=2)}\n")


def _with(known: tuple[str, ...], new: str) -> tuple[str, ...]:
    return known if not new or new in known else (*known, new)
