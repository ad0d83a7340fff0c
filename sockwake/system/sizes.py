"""Numbers of bytes in words."""

from __future__ import annotations


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
