"""Start an instance again that is held, and has failed: ExecStart= of pg-held@NAME.service.

Started behind such an end, and when the hours of an instance begin or are looked at. systemd tries
again, ever later, until this ends without an error.
"""

import sys
import time

from sockwake.config.instance import Instance, Name
from sockwake.errors import SockwakeError
from sockwake.lifecycle import holds, waking

# seconds; a command whose start has failed gives its hold back, and a client may come first
_OTHERS_FIRST = 2.0
_LOOK_EVERY = 1.0  # seconds
_LOOKS = 60  # one that ends again within these is not started anew at once


def main(arguments: list[str]) -> int:
    """held NAME. The status is for systemd alone."""
    try:
        start_again(Instance(Name(arguments[0])))
    except SockwakeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def start_again(instance: Instance) -> None:
    """Return when the instance is held no more, was awake, or has been so for a while.

    Raises SockwakeError when it cannot be woken, or has soon failed again.
    """
    time.sleep(_OTHERS_FIRST)
    taken = holds.holds(instance)
    if not taken or waking.is_ready(instance):
        return
    # that of the hold, which wants the backend: without one nothing would keep it up
    waking.wake(instance, taken[0].unit)
    for _ in range(_LOOKS):
        time.sleep(_LOOK_EVERY)
        if not holds.is_held(instance):
            return
        if not waking.is_ready(instance):
            if waking.has_outcome(instance) and not waking.is_ready(instance):
                raise waking.failed(instance)
            return  # it was stopped by hand
