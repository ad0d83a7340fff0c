"""A change of the password that was cut off, as by a power cut: settled behind the next wake.

The file "password.new" is there then; where the password file is a link no wake looks for it.
"""

from __future__ import annotations

import os

from sockwake.config import scope
from sockwake.system import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.config.instance import Instance

_PACKAGE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
_PROGRAM = f"{os.path.dirname(_PACKAGE)}/bin/sockwake"


def settle(instance: Instance) -> None:
    """Have `sockwake psql` settle it, which does that before all else, in a unit of its own.

    Of a passwd that is still at work it awaits the end. What is wrong goes to the journal.
    """
    switches = [*scope.switch(), "--quiet", "--collect", "--no-block"]
    why = f"--description=Settle which password of {instance.name} is right"
    psql = ["psql", *scope.switch(), instance.name, "--", "--quiet", "--command=select 1"]
    process.run(["systemd-run", *switches, why, _PROGRAM, *psql])
