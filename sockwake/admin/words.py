"""Words that several commands have: names and numbers of bytes."""

from collections.abc import Sequence

_MOST = 5  # names that are listed


def listed(names: Sequence[str]) -> str:
    """Names for a sentence, the first five of them."""
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more


def size(count: object) -> str:
    """A number of bytes in one unit, as systemctl(1) has it: 34.1M; "" when it is not known."""
    if not isinstance(count, int):
        return ""
    amount, units = float(count), list("TGMKB")
    while amount >= 1024 and units[1:]:
        amount /= 1024
        units.pop()
    is_exact = units[-1] == "B" or amount >= 100
    return f"{amount:.{0 if is_exact else 1}f}{units[-1]}"
