"""An instance whose backend is a program of the host, run by systemd: what goes on before, behind and after it.

ExecStartPre=, ExecStartPost= and ExecStopPost= of pg-postgres@NAME.service. They run as root, outside the program's
sandbox; the program is believed nothing.
"""

from __future__ import annotations

import os
import stat
import sys
import time

from sockwake import checking, clients, journal, netns, programs, runtime
from sockwake.errors import SockwakeError
from sockwake.instance import Instance, Name
from sockwake.readiness import await_server
from sockwake.settings import Settings
from sockwake.watcher import release_clients

_LOOK_EVERY = 0.002  # seconds
_REFUSAL_COUNTS = 5.0  # seconds; later it is another client, who may find it repaired
_NOT_FOUND, _NOT_EXECUTED = "127", "203"  # sh(1), systemd.exec(5)


def main(arguments: list[str]) -> int:
    """program prepare|await|after NAME, in the environment systemd gives such commands. The status is for systemd alone."""
    verb, name = arguments
    instance = Instance(Name(name))
    os.umask(0o022)  # service.conf may have another
    try:
        netns.leave_sandbox()
        {"prepare": prepare, "await": await_ready, "after": clean_up}[verb](instance)
    except (SockwakeError, OSError) as error:
        runtime.replace(instance.failure_file, f"{error.message if isinstance(error, SockwakeError) else error}\n")
        if netns.is_proxys(instance) and not os.path.ismount(instance.netns):
            netns.close_off(instance)
        print(error, file=sys.stderr)
        return 1
    return 0


def prepare(instance: Instance) -> None:
    """Make the runtime directory, and notice when this start is only there to refuse clients."""
    if _is_refusing(instance):
        return
    runtime.remove(_refusal(instance))
    runtime.prepare(instance)
    runtime.replace(_began(instance), f"{time.monotonic()}\n")
    try:
        settings = instance.settings()
    except SockwakeError as error:
        _refuse_next(instance, error.message)
        raise
    if not settings.is_native:
        netns.require_agreement(instance, bool(settings.backend_port))
        if settings.backend_port:
            netns.close_off(instance)


def await_ready(instance: Instance) -> None:
    """Return once the program answers, and its proxy may go ahead; raises SockwakeError when it never does."""
    if os.environ.get("SOCKWAKE_REFUSAL"):
        return
    settings, pid = instance.settings(), int(os.environ["MAINPID"])
    client = clients.waiting(settings)
    if settings.ready not in ("start", "notify") and not settings.is_native:
        deadline = time.monotonic() + settings.start_timeout

        def wait() -> None:
            time.sleep(_LOOK_EVERY)
            if not os.path.exists(f"/proc/{pid}/exe"):
                raise SockwakeError("its program has ended")

        if not settings.backend_port:
            while not _expose_socket(instance, settings):
                wait()
                if time.monotonic() > deadline:
                    raise SockwakeError(
                        f"its program has made no socket {_own_socket(instance, settings)} "
                        f"within {settings.start_timeout:g} s"
                    )
        await_server(pid, instance, settings, wait)
    if settings.backend_port:
        netns.lead_to(instance, pid)
    runtime.announce_ready(instance, settings)
    took = _age(instance)
    runtime.replace(instance.wake_file, f"{took:.3f}\n")
    journal.say(f"woken by {client} in {1000 * took:.0f} ms")
    checking.start(instance, settings, wait=False)


def clean_up(instance: Instance) -> None:
    """After the end of the program: no proxy leads nowhere, and the reason of an end that was not asked for is kept."""
    if os.environ.get("SOCKWAKE_REFUSAL"):
        runtime.remove(_refusal(instance))
        return
    was_ready = os.path.exists(instance.ready_file)
    runtime.remove(instance.ready_file)
    if was_ready:
        release_clients(instance)
    _hide_socket(instance)
    failed = os.environ.get("SERVICE_RESULT") != "success"
    if failed:
        reason = _why()
        if not os.path.exists(instance.failure_file) or was_ready or _is_vague(instance):
            runtime.replace(instance.failure_file, f"{reason}\n")
        if not was_ready or _age(instance) < _REFUSAL_COUNTS:  # nobody asked it how it is before it was called ready
            _refuse_next(instance, reason)
    if netns.is_proxys(instance):
        netns.close_off(instance) if failed else netns.forget(instance)
    journal.say("asleep")


def _why() -> str:
    """One sentence about a program that has ended, from what systemd says of it and its own last line."""
    code, status = os.environ.get("EXIT_CODE", ""), os.environ.get("EXIT_STATUS", "")
    if status in (_NOT_FOUND, _NOT_EXECUTED):
        return "its program cannot be run"
    if os.environ.get("SERVICE_RESULT") == "timeout":
        return "its program did not say it was ready in time"
    ended = f"ended with status {status}" if code == "exited" else f"was killed by SIG{status}"
    invocation = os.environ.get("INVOCATION_ID", "")
    said = programs.run(
        ["journalctl", "--lines=5", "--output=cat", f"_SYSTEMD_INVOCATION_ID={invocation}", "_TRANSPORT=stdout"],
        check=False,
    ).splitlines()
    last = next((line for line in reversed(said) if line and not line.startswith("sockwake: ")), "")
    return f"its program {ended}: {last}" if last else f"its program {ended}"


def _is_vague(instance: Instance) -> bool:
    with open(instance.failure_file, encoding="utf-8", errors="replace") as file:
        return file.read() == "its program has ended\n"


def _expose_socket(instance: Instance, settings: Settings) -> bool:
    """Lead the proxy to the program's socket, if it has made one.

    The directory is the program's, so nothing in it is followed: what is opened is made accessible and mounted where
    only the proxy gets.
    """
    try:
        fd = os.open(_own_socket(instance, settings), os.O_PATH | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        if not stat.S_ISSOCK(os.fstat(fd).st_mode):
            return False
        os.chmod(f"/proc/self/fd/{fd}", 0o666)
        _hide_socket(instance)
        os.close(os.open(_exposed(instance), os.O_WRONLY | os.O_CREAT, 0o600))
        programs.spawn(["mount", "--no-canonicalize", "--bind", f"/proc/{os.getpid()}/fd/{fd}", _exposed(instance)])
    finally:
        os.close(fd)
    return True


def _hide_socket(instance: Instance) -> None:
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
        count = sum(
            line.split()[4] == _exposed(instance) for line in file
        )  # ismount() does not see it: same file system
    for _ in range(count):
        programs.spawn(["umount", "--lazy", _exposed(instance)])


def _own_socket(instance: Instance, settings: Settings) -> str:
    return f"/run/sockwake-{instance.name}/{settings.socket_name}"


def _exposed(instance: Instance) -> str:
    return f"{instance.backend}/socket"


def _began(instance: Instance) -> str:
    return f"{instance.run}/began"


def _age(instance: Instance) -> float:
    """Seconds since it was started."""
    with open(_began(instance), encoding="ascii") as file:
        return time.monotonic() - float(file.read())


def _refusal(instance: Instance) -> str:
    """An EnvironmentFile= that tells bin/native to refuse."""
    return f"{instance.run}/refusal.env"


def _is_refusing(instance: Instance) -> bool:
    try:
        return time.time() - os.stat(_refusal(instance)).st_mtime < _REFUSAL_COUNTS
    except OSError:
        return False


def _refuse_next(instance: Instance, reason: str) -> None:
    """Have the next start tell the clients that wait why this one failed, unless a proxy does."""
    if "SOCKWAKE_TAKES_SOCKET" not in os.environ:
        return
    text = "".join(c if c.isprintable() and c not in '"\\' else " " for c in reason)
    sentence = f"sockwake: instance '{instance.name}' cannot start: {text} (journalctl -u {instance.backend_unit})"
    runtime.replace(_refusal(instance), f'SOCKWAKE_REFUSAL="{sentence}"\n')
