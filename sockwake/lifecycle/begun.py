"""A change of the password that was cut off, as by a power cut: settled behind the next wake.

The file "password.new" is there then; where the password file is a link no wake looks for it.
"""

from __future__ import annotations

import os

from sockwake.config import scope
from sockwake.system import transient

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.config.instance import Instance

_PACKAGE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
_PROGRAM = f"{os.path.dirname(_PACKAGE)}/bin/sockwake"
# a passwd at work has the lock; what is still there behind that was cut off, and is worth a client
_IF_LEFT = 'if flock "$1" test -e "$2"; then shift 2; exec "$@"; fi'


def settle(instance: Instance) -> None:
    """Have `sockwake psql` settle it, which does that before all else, in a unit of its own.

    Of a passwd that is still at work it awaits the end, and connects only if that has left
    something: its client would wake what was put to sleep meanwhile. What is wrong goes to the
    journal.
    """
    why = f"--description=Settle which password of {instance.name} is right"
    psql = ["psql", *scope.switch(), instance.name, "--", "--quiet", "--command="]
    if_left = ["sh", "-c", _IF_LEFT, "sh", instance.etc, f"{instance.password_file}.new"]
    transient.begin(why, *if_left, _PROGRAM, *psql)
