"""The images of containers that are woken without an engine, and what needs them."""

from sockwake.admin import columns, inventory, words
from sockwake.errors import IN_USE, SockwakeError
from sockwake.oci import names, needs, store

_COLUMNS = ("image", "digest", "size", "instances")


def rows(root: str = "") -> list[dict[str, object]]:
    """One row for each image; size in bytes, "shipped" for one that is never removed."""
    needed = needs.needed(root)
    return [
        {
            "image": next(iter(image.notes.names), ""),
            "names": list(image.notes.names),
            "digest": image.digest,
            "size": image.size,
            "instances": needed.get(image.digest, []),
            "shipped": image.is_shipped,
        }
        for image in store.images(root)
    ]


def table(listed: list[dict[str, object]], *, header: bool) -> str:
    """The rows as text, in columns."""
    lines = [tuple(name.upper() for name in _COLUMNS)] if header else []
    lines += [tuple(_cell(column, row[column]) for column in _COLUMNS) for row in listed]
    return "".join(f"{line}\n" for line in columns.aligned(lines))


def unneeded(root: str) -> list[store.Image]:
    """Those that no instance needs, and that are not shipped."""
    needed = needs.needed(root)
    return [
        image for image in store.images(root) if image.digest not in needed and not image.is_shipped
    ]


def described(image: store.Image) -> str:
    """Its name and size, for a sentence."""
    return f"{image} ({words.size(image.size)})"


def require_nothing_in_the_making(root: str) -> None:
    """Raise SockwakeError (in use) while an instance is being made, which may need any image."""
    for draft in inventory.unfinished(root):
        if not inventory.is_abandoned(draft):
            raise SockwakeError(
                f"instance '{draft.name}' is being made, and may need the image",
                "try again when it is there",
                IN_USE,
            )


def _cell(column: str, value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    if isinstance(value, int):
        return words.size(value)
    text = str(value)
    return text.removeprefix("sha256:")[: names.SHORTEST] if column == "digest" else text or "-"
