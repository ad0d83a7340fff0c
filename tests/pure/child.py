"""Child processes that a test may stop and end."""

import subprocess
import time
from collections.abc import Callable

from sockwake.system import pids

Child = subprocess.Popen[bytes]
MakeChild = Callable[..., Child]


def is_unhurt(child: Child) -> bool:
    """Whether a child still runs, a moment later."""
    time.sleep(0.1)
    return child.poll() is None and not pids.is_stopped(child.pid)
