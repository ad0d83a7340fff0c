"""How an image is known on this host: notes.json beside it, written whole or not at all."""

import json
from dataclasses import dataclass, replace

from sockwake.oci import names
from sockwake.system import files


@dataclass(frozen=True)
class Notes:
    """names: as in "postgres:18". engine_ids: what engines call it that have IDs of their own.

    size: the bytes of its layers, 0 if not known.
    """

    names: tuple[str, ...] = ()
    engine_ids: tuple[str, ...] = ()
    size: int = 0

    def plus(self, name: str, engine_id: str) -> "Notes":
        """The notes with a name and an ID more, "" for none."""
        is_known = not name or any(names.same(name, each) for each in self.names)
        is_told = not engine_id or engine_id in self.engine_ids
        return replace(
            self,
            names=self.names if is_known else (*self.names, name),
            engine_ids=self.engine_ids if is_told else (*self.engine_ids, engine_id),
        )

    def minus(self, name: str) -> "Notes":
        """The notes when another image has got the name."""
        kept = tuple(each for each in self.names if not name or not names.same(name, each))
        return replace(self, names=kept)


def read(image: str) -> Notes:
    """The notes beside the image in this directory; none when they are missing or damaged."""
    return parse(files.text_of(f"{image}/notes.json"))


def parse(text: str) -> Notes:
    """Notes as they are written; none when they are damaged."""
    try:
        noted = json.loads(text)
        known, ids = (tuple(map(str, noted[key])) for key in ("names", "engine_ids"))
        return Notes(known, ids, int(noted["size"]))
    except (ValueError, LookupError, TypeError, RecursionError):
        return Notes()


def write(image: str, notes: Notes) -> None:
    """Write the notes beside the image in this directory."""
    noted = {"names": list(notes.names), "engine_ids": list(notes.engine_ids), "size": notes.size}
    files.replace(f"{image}/notes.json", 0o644, f"{json.dumps(noted, indent=2)}\n")
