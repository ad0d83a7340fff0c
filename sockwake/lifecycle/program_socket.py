"""The unix socket that a program has made, mounted where its proxy finds it.

The directory is the program's, so no link in it is followed: what is opened is made accessible and
mounted where only the proxy gets.
"""

from __future__ import annotations

import os
import stat

from sockwake.system import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.config.instance import Instance
    from sockwake.config.settings import Settings


def expose(instance: Instance, settings: Settings) -> bool:
    """Mount the program's socket at the proxy's path; False when there is none yet."""
    try:
        fd = os.open(path(instance, settings), os.O_PATH | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        if not stat.S_ISSOCK(os.fstat(fd).st_mode):
            return False
        os.chmod(f"/proc/self/fd/{fd}", 0o666)
        hide(instance)
        os.close(os.open(_at_the_proxy(instance), os.O_WRONLY | os.O_CREAT, 0o600))
        opened = f"/proc/{os.getpid()}/fd/{fd}"
        process.spawn(["mount", "--no-canonicalize", "--bind", opened, _at_the_proxy(instance)])
    finally:
        os.close(fd)
    return True


def hide(instance: Instance) -> None:
    """Unmount it. os.path.ismount() does not know a mount of the same file system."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
        count = sum(line.split()[4] == _at_the_proxy(instance) for line in file)
    for _ in range(count):
        process.spawn(["umount", "--lazy", _at_the_proxy(instance)])


def path(instance: Instance, settings: Settings) -> str:
    """Where the program is told to make it."""
    return f"/run/sockwake-{instance.name}/{settings.socket_name}"


def _at_the_proxy(instance: Instance) -> str:
    return f"{instance.backend}/socket"
