"""Take or release the hold of an instance's own hours: ExecStart= of pg-hours@NAME.service.

Its timer, which sockwake-generator makes of KEEP=, starts it when hours begin or end, when the port
is opened (at boot, too), and when the clock or the time zone has been set. ExecStartPre= of
pg-maintain@NAME.service takes the hold of a window of MAINTAIN=, with --window.
"""

import sys
import time

from sockwake.config import forwarding
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import load
from sockwake.errors import SockwakeError
from sockwake.lifecycle import holds, hours, waking
from sockwake.lifecycle.hold import HOURS, moment
from sockwake.system import journal


def main(arguments: list[str]) -> int:
    """hours NAME, or hours --window NAME. The status is for systemd alone."""
    *window, name = arguments
    instance = Instance(Name(name))
    try:
        if window:
            if (end := hours.of_window(load(instance), time.time())) is not None:
                hours.keep_in_window(instance, end)
        else:
            look(instance)
    except SockwakeError as error:
        print(error, file=sys.stderr)
        return error.status
    return 0


def look(instance: Instance) -> None:
    """Have the instance kept awake until its hours are over, or no longer."""
    settings = load(instance)
    is_led_away = forwarding.is_there(instance)
    end = None if is_led_away else hours.until(settings.keep, time.time())
    before = [hold for hold in holds.holds(instance) if hold.who == HOURS]
    if end is None or not any(hold.until == end for hold in before):
        if end is not None:  # first: it would fall asleep between two
            holds.take(instance, end=holds.at(end), who=HOURS)
            journal.say(f"its hours have begun, and are over at {moment(end)}")
        elif before:
            journal.say("its hours are over")
        holds.release(*before)
    if end is not None and not waking.is_ready(instance):
        holds.start_again(instance)  # it may fail to start, or have been put to sleep
