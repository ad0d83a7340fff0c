"""Times, durations and sizes for people and for JSON."""

import time

_GIB = 2**30
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def when(at: float) -> str:
    """Seconds since the epoch as local time, to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def stamp(at: float) -> str:
    """The same for programs: ISO 8601 with the offset from UTC."""
    local = time.localtime(at)
    offset = time.strftime("%z", local)
    ms = int(at % 1 * 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', local)}.{ms:03d}{offset[:3]}:{offset[3:]}"


def span(seconds: float) -> str:
    """A duration by its two largest units, as in "2 h 5 min"."""
    left = round(seconds)
    if left < 1:
        return "0 s" if seconds <= 0 else "<1 s"
    parts = []
    for size, unit in _UNITS:
        if left >= size:
            parts.append((size, f"{left // size} {unit}"))
            left %= size
    first = parts[0][0]
    sizes = [size for size, _ in _UNITS]
    following = sizes[min(sizes.index(first) + 1, len(sizes) - 1)]
    return " ".join(text for size, text in parts[:2] if size in (first, following))


def took(seconds: float) -> str:
    """How long a wake took: "131 ms", "2.4 s"."""
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def size(count: float) -> str:
    """Bytes, as in "41.3 MiB"."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def gib_hours(byte_seconds: float) -> float:
    return byte_seconds / _GIB / 3600
