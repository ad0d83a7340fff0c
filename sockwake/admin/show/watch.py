"""Keep what a command shows current, on a terminal, until Ctrl-C."""

import os
import shutil
import sys
import time
from collections.abc import Callable

from sockwake.errors import USAGE, SockwakeError

_EVERY = 2  # seconds, as watch(1)
# xterm's control sequences: another screen, no cursor and no wrapped lines; and back
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l\x1b[?7l", "\x1b[?7h\x1b[?25h\x1b[?1049l"
_HOME, _END_OF_LINE, _REST = "\x1b[H", "\x1b[K\n", "\x1b[J"


def require_terminal(alternative: str) -> None:
    """Raise SockwakeError (usage) unless stdout is a terminal on which text can be replaced."""
    if not sys.stdout.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        raise SockwakeError("--watch needs a terminal", alternative, USAGE)


def run(show: Callable[[], str]) -> None:
    """Show a text anew every two seconds, as much of it as there is room for."""
    sys.stdout.write(_ENTER)
    try:
        while True:
            lines = show().splitlines()[: shutil.get_terminal_size().lines - 1]
            drawn = "".join(f"{line}{_END_OF_LINE}" for line in lines)
            sys.stdout.write(f"{_HOME}{drawn}{_REST}")
            sys.stdout.flush()
            time.sleep(_EVERY)
    except KeyboardInterrupt:
        pass
    finally:
        sys.stdout.write(_LEAVE)
        sys.stdout.flush()
