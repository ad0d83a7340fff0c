"""Holds: what keeps an instance awake though no client is there, and who wants that.

A hold is a passing unit, pg-keep@NAME:ID.service, that wants the backend: systemd keeps that up as
long as the unit is (StopWhenUnneeded=), and an idle check lets the instance be. It ends by itself,
at its time or with a process. Whatever is known of it is in the text of the unit, which systemd
deletes with it: nothing is left when one of the two is killed, and none outlives a boot.
"""

from __future__ import annotations

import os
import time

from sockwake.config import forwarding, scope
from sockwake.errors import IN_USE, SockwakeError
from sockwake.lifecycle import waking
from sockwake.lifecycle.hold import Hold, read_note, uptime, user
from sockwake.system import files, locks, process, sigstop, systemctl, transient

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.config.instance import Instance

_PACKAGE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
_KEEPER = f"{os.path.dirname(_PACKAGE)}/bin/keep"
_NOTE = "SOCKWAKE_HOLD="  # in hexadecimal digits: systemd would write any other text with escapes
_LONGEST_REASON = 200  # characters
_MOST = 1000  # holds of one instance
_TAKEN = "was already loaded"  # what systemd-run says of a unit that is there
_A_MOMENT = 10.0  # seconds that starting or stopping a unit may take on a busy machine


def holds(instance: Instance) -> list[Hold]:
    """The holds of an instance, by their numbers; none in a tree that does not run."""
    return [] if instance.root else every().get(instance.name, [])


def every() -> dict[str, list[Hold]]:
    """The holds of all instances, by name and number; read from files, without asking systemd."""
    found: dict[str, list[Hold]] = {}
    for entry in _entries():
        name, _, number = entry.removeprefix("pg-keep@").removesuffix(".service").partition(":")
        text = files.text_of(f"{_directory()}/{entry}").partition(_NOTE)[2]
        length = len(text) - len(text.lstrip("0123456789abcdef"))
        hold = read_note(name, int(number), text[:length]) if number.isdigit() else None
        if hold and not hold.has_ended:
            found.setdefault(name, []).append(hold)
    return {name: sorted(of_it, key=lambda hold: hold.id) for name, of_it in found.items()}


def is_held(instance: Instance) -> bool:
    """Whether an instance has a hold."""
    return any(entry.startswith(f"pg-keep@{instance.name}:") for entry in _entries())


def start_again(instance: Instance) -> None:
    """Have systemd start an instance again, if it is held; returns at once.

    What has failed to do so waits for its next try: a start would be that try, now.
    """
    if is_held(instance) and not systemctl.is_to_restart(unit(instance)):
        systemctl.start_later(unit(instance))


def unit(instance: Instance) -> str:
    """What starts an instance again that is held and has failed; is at work for seconds then."""
    return f"pg-held@{instance.name}.service"


def _entries() -> list[str]:
    try:
        names = os.listdir(_directory())
    except OSError:
        return []
    return [name for name in names if name.startswith("pg-keep@") and name.endswith(".service")]


def _directory() -> str:
    """Where systemd keeps the text of passing units, as long as they are loaded."""
    return f"{scope.runtime() if scope.is_user() else '/run'}/systemd/transient"


def take(
    instance: Instance,
    reason: str = "",
    *,
    end: str = "",
    pid: int = 0,
    who: str = "",
    tty: str = "",
) -> Hold:
    """Take a hold, which has the instance woken, and return at once.

    end: as in Hold, from at() or after(). pid: a process with which it ends. who: "" for the user
    of this process. Raises SockwakeError.
    """
    if len(reason) > _LONGEST_REASON or not reason.isprintable():
        raise SockwakeError(f"a reason has {_LONGEST_REASON} characters at most, on one line")
    forwarding.require_none(instance)
    for number in range(1, _MOST):
        hold = Hold(
            instance.name,
            number,
            who or user(),
            since=time.time(),
            end=end,
            pid=pid,
            tty=tty,
            reason=reason,
        )
        if _is_loaded(hold):
            continue
        try:
            with NoneTaken(instance):
                _start(instance, hold)
        except process.ProgramError as error:
            if _is_loaded(hold) or _TAKEN in str(error):
                continue  # another process has just taken this number, or given it back
            raise
        return hold
    raise SockwakeError(f"instance '{instance.name}' has {_MOST - 1} holds already")


class NoneTaken:
    """No hold of an instance is taken within a with statement, and nothing else stops it.

    What stops a backend unless that is held does both within: a hold that came between the two
    would find it ready still, and its command would be killed. Entering raises SockwakeError (in
    use).
    """

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._lock = -1

    def __enter__(self) -> None:
        try:
            self._lock = os.open(self._instance.run, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return  # it has not been awake since the boot: nothing is there to be stopped
        locks.take(self._lock, f"the lock of the holds of '{self._instance.name}'", _A_MOMENT)

    def __exit__(self, *_: object) -> None:
        if self._lock >= 0:
            os.close(self._lock)


def _is_loaded(hold: Hold) -> bool:
    return os.path.exists(f"{_directory()}/{hold.unit}")


def at(moment: float) -> str:
    """The end of a hold at a time of the clock, in seconds since 1970."""
    return f"@{-(-moment // 1):.0f}"  # not a moment before it


def after(seconds: float) -> str:
    """The end of a hold so many seconds from now, whatever becomes of the clock."""
    return f"{-(-(uptime() + seconds) // 1):.0f}"


def _start(instance: Instance, hold: Hold) -> None:
    """Have systemd start the unit of a hold, and the backend before it."""
    backend = instance.backend_unit
    why = f": {hold.reason}" if hold.reason else ""
    # hours are no reason to be awake without a port; who keeps it otherwise may have closed that
    whole = instance.socket_unit if hold.is_of_hours else "sockwake.target"
    transient.begin(
        *(f"--unit={hold.unit}", f"--description=Hold on {hold.name} by {hold.who}{why}"),
        f"--slice={'app' if scope.is_user() else 'system'}-sockwake.slice",
        *(f"--property={relation}={backend}" for relation in ("Wants", "After")),
        # the end of a keeper that was killed is not the end of the hold
        *(f"--property=PartOf={whole}", "--property=Restart=on-abnormal"),
        *(f"--setenv={_NOTE}{hold.note()}", "--setenv=LC_ALL=C"),
        *(_KEEPER, hold.end or "never", f"{hold.pid}"),
    )


def release(*ended: Hold) -> None:
    """End holds; no error for those that have ended."""
    if ended:
        systemctl.stop(*(hold.unit for hold in ended))
        sigstop.within_a_moment(lambda: not any(map(_is_loaded, ended)))


def require_none(instance: Instance, hint: str) -> None:
    """Raise SockwakeError (in use) when a user holds the instance; its own hours do not count."""
    if found := [hold for hold in holds(instance) if not hold.is_of_hours]:
        raise held(instance, found, hint)


def held(instance: Instance, found: list[Hold], hint: str) -> SockwakeError:
    """The error that tells who holds an instance."""
    by = "; ".join(hold.sentence() for hold in found)
    return SockwakeError(f"instance '{instance.name}' is kept awake by {by}", hint, IN_USE)


def hold(instance: Instance, reason: str = "", seconds: float | None = None) -> Holding:
    """Keep an instance awake, which wakes it, within a with statement.

    seconds: after which the hold ends all the same. It ends with this process, too, however that
    ends, and is kept by a program that the process becomes.
    Entering raises SockwakeError when the instance cannot be woken, and leaves no hold then.
    """
    return Holding(instance, reason, seconds)


class Holding:
    """What hold() returns."""

    def __init__(self, instance: Instance, reason: str, seconds: float | None) -> None:
        self._instance = instance
        self._reason = reason
        self._end = "" if seconds is None else after(seconds)
        self._taken: Hold | None = None

    def __enter__(self) -> Hold:
        taken = take(self._instance, self._reason, end=self._end, pid=os.getpid())
        self._taken = taken
        try:
            waking.wake(self._instance, self._instance.backend_unit)
        except BaseException:
            release(taken)
            raise
        return taken

    def __exit__(self, *_: object) -> None:
        if self._taken:
            release(self._taken)
