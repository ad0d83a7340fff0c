"""Words that several commands have: sentences, names and numbers of bytes."""

from collections.abc import Sequence

from sockwake.system.sizes import size

__all__ = ["capital", "listed", "size"]
_MOST = 5  # names that are listed


def capital(text: str) -> str:
    """A sentence that begins with a capital letter."""
    return f"{text[0].upper()}{text[1:]}"


def listed(names: Sequence[str]) -> str:
    """Names for a sentence, the first five of them."""
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more
