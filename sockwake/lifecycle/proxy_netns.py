"""The network namespace of a backend that is reached over TCP, and not through a unix socket.

The proxy of such an instance lives in the namespace that is mounted at /run/sockwake/NAME/netns (a
drop-in of sockwake-generator's says so): nothing of the backend is on the host, and no local user
can take its port. There must be one whenever the proxy starts, even if only to tell clients why
there is no database; until the container runs that is an empty one.

The proxy of a user's own instance enters the container's namespaces by itself (bin/proxy), and
nothing is mounted: users cannot.
"""

import os
import time

from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.errors import SockwakeError
from sockwake.system import files, process, systemctl

_PROXY_LEAVES = 10  # seconds to find that there is no client, and end
_LOOK_EVERY = 0.05  # seconds


def close_off(instance: Instance) -> None:
    """Mount an empty namespace there."""
    if scope.is_user():
        return
    forget(instance)
    _make_place(instance)
    process.spawn(["unshare", f"--net={instance.netns}", "true"])


def is_host_s(instance: Instance) -> bool:
    """Whether what is mounted there is the host's."""
    return os.path.samestat(os.stat(instance.netns), os.stat("/proc/1/ns/net"))


def lead_to(instance: Instance, pid: int) -> None:
    """Mount the namespace of process pid there, over the one before."""
    _make_place(instance)
    process.spawn(["mount", "--bind", f"/proc/{pid}/ns/net", instance.netns])


def lead_somewhere(instance: Instance) -> None:
    """Mount an empty namespace if a proxy is going to start in one, and none is mounted."""
    if is_proxys(instance) and not os.path.ismount(instance.netns):
        close_off(instance)


def _make_place(instance: Instance) -> None:
    """Make the file on which a namespace is mounted."""
    os.close(os.open(instance.netns, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o444))


def forget(instance: Instance) -> None:
    """Unmount it; the file goes, too, so that the next wake need not unmount anything."""
    while os.path.ismount(instance.netns):
        process.spawn(["umount", "--lazy", instance.netns])
    files.remove(instance.netns)


def forget_unused(instance: Instance) -> None:
    """Unmount it when the proxy, for which there is no client, has ended.

    Without one that would fail to start, and so be started again and again.
    """
    deadline = time.monotonic() + _PROXY_LEAVES
    while is_proxys(instance) and time.monotonic() < deadline:
        state = systemctl.states(instance.proxy_unit).get(instance.proxy_unit, ("inactive", ""))[0]
        if state in ("inactive", "failed"):
            break
        time.sleep(_LOOK_EVERY)
    forget(instance)


def is_proxys(instance: Instance) -> bool:
    """Whether systemd starts the proxy in the namespace, by what the last daemon-reload read."""
    drop_in = f"/run/systemd/generator/{instance.proxy_unit}.d/tcp.conf"
    return not scope.is_user() and os.path.exists(drop_in)


def is_led_elsewhere(instance: Instance) -> bool:
    """Whether the backend that runs is reached otherwise than systemd starts its proxy by now.

    Behind an edit of TLS= or BACKEND_PORT= and a daemon-reload: no proxy comes to it any more.
    """
    _, _, backend = files.text_of(instance.ready_file).partition(" ")
    over_tcp = backend.startswith("127.0.0.1:")
    return bool(backend) and not scope.is_user() and is_proxys(instance) != over_tcp


def require_agreement(instance: Instance, over_tcp: bool) -> None:
    """Raise SockwakeError when TLS= or BACKEND_PORT= has changed since the last daemon-reload."""
    if not scope.is_user() and is_proxys(instance) != over_tcp:
        changed = f"TLS= or BACKEND_PORT= in {instance.env_file} was changed"
        raise SockwakeError(
            f"{changed}, and systemd has not read it", scope.command("systemctl", "daemon-reload")
        )
