"""The network namespace of a backend that is reached over TCP, and not through a unix socket.

The proxy of such an instance lives in the namespace that is mounted at
/run/sockwake/NAME/netns (a drop-in of sockwake-generator's says so): nothing of the backend is on the host, and
no local user can take its port. The path has to lead somewhere whenever the proxy starts, even if only to tell
clients why there is no database; until the container runs that is a namespace of its own, with nothing in it.

A user's own proxy enters the container's namespaces by itself (bin/proxy), and nothing is mounted: users cannot.
"""

import os

from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.errors import SockwakeError
from sockwake.system import process


def close_off(instance: Instance) -> None:
    """Lead to an empty namespace."""
    if scope.is_user():
        return
    forget(instance)
    _make_place(instance)
    process.spawn(["unshare", f"--net={instance.netns}", "true"])


def lead_to(instance: Instance, pid: int) -> None:
    """Lead to the namespace of process pid, over whatever it led to."""
    _make_place(instance)
    process.spawn(["mount", "--bind", f"/proc/{pid}/ns/net", instance.netns])


def lead_somewhere(instance: Instance) -> None:
    """Lead to an empty namespace if a proxy is going to start in one, and there is none yet."""
    if is_proxys(instance) and not os.path.ismount(instance.netns):
        close_off(instance)


def _make_place(instance: Instance) -> None:
    """The file a namespace is mounted on."""
    os.close(os.open(instance.netns, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o444))


def forget(instance: Instance) -> None:
    """Lead nowhere any more."""
    while os.path.ismount(instance.netns):
        process.spawn(["umount", "--lazy", instance.netns])


def is_proxys(instance: Instance) -> bool:
    """Whether systemd starts the proxy in the namespace: as it stood there at the last daemon-reload."""
    return not scope.is_user() and os.path.exists(
        f"/run/systemd/generator/{instance.proxy_unit}.d/tcp.conf"
    )


def require_agreement(instance: Instance, over_tcp: bool) -> None:
    """Raise SockwakeError when the backend was moved and systemd does not know yet."""
    if not scope.is_user() and is_proxys(instance) != over_tcp:
        raise SockwakeError(
            f"TLS= or BACKEND_PORT= in {instance.env_file} was changed, and systemd has not read it",
            "systemctl daemon-reload",
        )
