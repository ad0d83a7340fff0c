"""Words for sentences of several commands."""

from collections.abc import Sequence

_MOST = 5  # names that are listed


def listed(names: Sequence[str]) -> str:
    """Names for a sentence, the first five of them."""
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more
