"""An instance whose backend is a program of the host, run by systemd: what goes on beside and after it.

ExecStartPost= and ExecStopPost= of pg-postgres@NAME.service. They run as root, outside the program's
sandbox; the program is believed nothing. Nothing goes on before it: the client would wait for that, too.
"""

from __future__ import annotations

import os
import stat
import sys
import time

from sockwake import allow, checking, clients, journal, netns, programs, proxies, runtime
from sockwake.errors import SockwakeError, shown
from sockwake.instance import Instance, Name
from sockwake.readiness import await_server
from sockwake.settings import Settings

_LOOK_EVERY = 0.002  # seconds
_REFUSAL_COUNTS = 5.0  # seconds; later it is another client, who may find it repaired
_ENDED = "its program has ended"
_NOT_FOUND, _NOT_EXECUTED = "127", "203"  # sh(1), systemd.exec(5)


def main(arguments: list[str]) -> int:
    """program await|after NAME, in the environment systemd gives such commands. The status is for systemd alone."""
    verb, name = arguments
    instance = Instance(Name(name))
    os.umask(0o022)  # service.conf may have another
    try:
        netns.leave_sandbox()
        {"await": await_ready, "after": clean_up}[verb](instance)
    except (SockwakeError, OSError) as error:
        problem = error if isinstance(error, SockwakeError) else SockwakeError(str(error))
        runtime.replace(instance.failure_file, f"{problem.message}\n")
        netns.lead_somewhere(instance)
        print(problem, file=sys.stderr)
        return 1
    return 0


def await_ready(instance: Instance) -> None:
    """Return once the program answers, and its proxy may go ahead; raises SockwakeError when it never does."""
    if _is_refusing():
        return
    runtime.prepare(instance)
    runtime.replace(_awaited(instance), os.environ["INVOCATION_ID"])
    settings, pid = instance.settings(), int(os.environ["MAINPID"])
    client = clients.waiting(settings)
    allow.require_enforced(settings)
    if not settings.is_native:
        netns.require_agreement(instance, bool(settings.backend_port))
    if settings.ready not in ("start", "notify") and not settings.is_native:
        deadline = time.monotonic() + settings.start_timeout

        def wait() -> None:
            time.sleep(_LOOK_EVERY)
            if not os.path.exists(f"/proc/{pid}/exe"):
                raise SockwakeError(_ENDED)

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
    took = time.clock_gettime(time.CLOCK_BOOTTIME) - _began(pid)
    runtime.replace(instance.wake_file, f"{took:.3f}\n")
    journal.say(f"woken by {client} in {1000 * took:.0f} ms")
    checking.start(instance, settings, wait=False)
    allow.note_dropped(instance, settings)


def clean_up(instance: Instance) -> None:
    """After the end of the program: no proxy leads nowhere, and the reason of an end that was not asked for is kept."""
    runtime.remove(_refusal(instance))
    if _is_refusing():
        return
    runtime.make_directories(instance)
    was_ready = os.path.exists(instance.ready_file)
    runtime.remove(instance.ready_file)
    if was_ready:
        proxies.end(instance)
    _hide_socket(instance)
    failed = os.environ.get("SERVICE_RESULT") != "success"
    if failed:
        reason = _why()
        if was_ready or not _was_awaited(instance) or _is_vague(instance):
            runtime.replace(instance.failure_file, f"{reason}\n")
        if not was_ready or _woke_just_now(
            instance
        ):  # of a native one nobody asked how it is before it was called ready
            _refuse_next(instance, reason)
    if netns.is_proxys(instance):
        netns.close_off(instance) if failed else netns.forget(instance)
    journal.say("asleep")


def _is_refusing() -> bool:
    """Whether this start is only there to refuse clients; bin/native decides alike."""
    return bool(os.environ.get("SOCKWAKE_REFUSAL")) and time.time() < float(
        os.environ.get("SOCKWAKE_REFUSAL_UNTIL", "0")
    )


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
    return shown(f"its program {ended}: {last}" if last else f"its program {ended}")


def _is_vague(instance: Instance) -> bool:
    """Whether the reason that is there is only that the program has ended."""
    try:
        with open(instance.failure_file, encoding="utf-8", errors="replace") as file:
            return file.read().strip() == _ENDED
    except OSError:
        return True


def _was_awaited(instance: Instance) -> bool:
    """Whether anybody waited for this very run, and left a reason."""
    try:
        with open(_awaited(instance), encoding="ascii") as file:
            return file.read() == os.environ.get("INVOCATION_ID")
    except OSError:
        return False


def _woke_just_now(instance: Instance) -> bool:
    try:
        return time.time() - os.stat(_awaited(instance)).st_mtime < _REFUSAL_COUNTS
    except OSError:
        return False


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


def _awaited(instance: Instance) -> str:
    """Which run was last waited for."""
    return f"{instance.run}/awaited"


def _began(pid: int) -> float:
    """When a process was started, in seconds since the machine was; proc(5)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            ticks = int(file.read().rpartition(")")[2].split()[19])
    except OSError:
        raise SockwakeError(_ENDED) from None
    return ticks / os.sysconf("SC_CLK_TCK")


def _refuse_next(instance: Instance, reason: str) -> None:
    """Have the next start, if it comes soon, tell the clients that wait why this one failed (bin/native), unless a proxy does."""
    if "SOCKWAKE_TAKES_SOCKET" not in os.environ:
        return
    text = "".join(c if c.isprintable() and c not in '"\\' else " " for c in reason)
    sentence = f"sockwake: instance '{instance.name}' cannot start: {text} (journalctl -u {instance.backend_unit})"
    until = time.time() + _REFUSAL_COUNTS
    runtime.replace(_refusal(instance), f'SOCKWAKE_REFUSAL="{sentence}"\nSOCKWAKE_REFUSAL_UNTIL={until:.0f}\n')


def _refusal(instance: Instance) -> str:
    """An EnvironmentFile= that tells bin/native to refuse."""
    return f"{instance.run}/refusal.env"
