"""What systemd says of a unit, asked without a process: tests ask while they wait.

systemctl takes 11 ms of a processor for an answer; sd-bus(3), from which it has that, less than 1.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

_PRIVATE = b"unix:path=/run/systemd/private"  # root's own way to process 1
_SYSTEMD = b"org.freedesktop.systemd1"
_LIBRARY = ctypes.CDLL("libsystemd.so.0")
# not to be freed by ctypes, which would take a c_char_p for bytes
_Text = ctypes.c_void_p


def active_state(unit: str) -> str:
    """As `systemctl show --value --property=ActiveState` says it."""
    with _asked(unit) as (bus, path):
        value = _Text()
        _must(
            _LIBRARY.sd_bus_get_property_string(
                bus, _SYSTEMD, path, _SYSTEMD + b".Unit", b"ActiveState", None, ctypes.byref(value)
            )
        )
        return _taken(value).decode()


def job(unit: str) -> int:
    """The number of its job, which runs or waits; 0 for none."""
    with _asked(unit) as (bus, path):
        reply, number = ctypes.c_void_p(), ctypes.c_uint32()
        what = (bus, _SYSTEMD, path, _SYSTEMD + b".Unit", b"Job", None)
        _must(_LIBRARY.sd_bus_get_property(*what, ctypes.byref(reply), b"(uo)"))
        try:
            _must(_LIBRARY.sd_bus_message_enter_container(reply, ctypes.c_char(b"r"), b"uo"))
            _must(
                _LIBRARY.sd_bus_message_read_basic(reply, ctypes.c_char(b"u"), ctypes.byref(number))
            )
        finally:
            _LIBRARY.sd_bus_message_unref(reply)
        return number.value


def main_pid(service: str) -> int:
    """Its MainPID=, 0 for none."""
    with _asked(service) as (bus, path):
        number = ctypes.c_uint32()
        _must(
            _LIBRARY.sd_bus_get_property_trivial(
                *(bus, _SYSTEMD, path, _SYSTEMD + b".Service", b"MainPID", None),
                *(ctypes.c_char(b"u"), ctypes.byref(number)),
            )
        )
        return number.value


@contextmanager
def _asked(unit: str) -> Iterator[tuple[ctypes.c_void_p, bytes]]:
    """A connection, and the path of the unit's object."""
    bus, place = ctypes.c_void_p(), _Text()
    _must(_LIBRARY.sd_bus_new(ctypes.byref(bus)))
    try:
        _must(_LIBRARY.sd_bus_set_address(bus, _PRIVATE))
        _must(_LIBRARY.sd_bus_start(bus))
        prefix = b"/org/freedesktop/systemd1/unit"
        _must(_LIBRARY.sd_bus_path_encode(prefix, unit.encode(), ctypes.byref(place)))
        yield bus, _taken(place)
    finally:
        _LIBRARY.sd_bus_flush_close_unref(bus)


def _taken(text: ctypes.c_void_p) -> bytes:
    """The bytes of a string that was allocated for us."""
    found = ctypes.string_at(text)
    _FREE(text)
    return found


_FREE = ctypes.CDLL(None).free
_FREE.argtypes = [ctypes.c_void_p]


def _must(status: int) -> None:
    assert status >= 0, f"sd-bus: error {-status}"
