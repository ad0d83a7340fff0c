"""sockwake exec: run a command in an instance's container, which is awake as long as that runs."""

import json
import os
import secrets
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

from sockwake.admin.access import terminal
from sockwake.admin.steer.wake import require_power
from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.engine import belongings
from sockwake.engine.api import Engine
from sockwake.errors import UNKNOWN, USAGE, SockwakeError
from sockwake.lifecycle import holds
from sockwake.oci import bundle
from sockwake.system import files, process

_LONGEST_REASON = 80  # characters
_MARK = "SOCKWAKE_EXEC"  # a variable by which the command's process is found
_PASSED_ON = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2")


def execute(
    instance: Instance,
    settings: Settings,
    command: Sequence[str],
    *,
    service: str = "",
    secret: Mapping[str, str] | None = None,
) -> int:
    """Run a command in the container at the caller's terminal, and return its exit status.

    The instance is woken and held awake meanwhile. service: of a compose project. secret: further
    variables, which no command line shows. Raises SockwakeError when it cannot be run.
    """
    require_power()
    require_container(instance, settings, service)
    with holds.hold(instance, _reason(command)):
        if settings.is_bundled:
            process.take_over(_by_crun(instance, command, secret or {}), terminal.environment())
        return _by_engine(instance, settings, command, service, secret or {})


def require_container(instance: Instance, settings: Settings, service: str) -> None:
    """Raise SockwakeError unless a command can be run in the instance, or in this service of it."""
    if not settings.is_container:
        raise SockwakeError(
            f"instance '{instance.name}' is a program of this host, and has no container",
            f"nsenter -a -t $({scope.command('systemctl', 'show', '-P', 'MainPID')} "
            f"{instance.backend_unit}) COMMAND runs one where the program is",
        )
    if service and not settings.is_project:
        raise SockwakeError(
            f"instance '{instance.name}' has one container, and no services", status=USAGE
        )


def _reason(command: Sequence[str]) -> str:
    """What the command is, for those who ask why the instance is awake."""
    said = "".join(char if char.isprintable() else " " for char in f"exec {' '.join(command)}")
    return said if len(said) <= _LONGEST_REASON else f"{said[: _LONGEST_REASON - 1]}…"


def _has_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _by_crun(instance: Instance, command: Sequence[str], secret: Mapping[str, str]) -> list[str]:
    """The command line of crun, which passes signals and the exit status on."""
    variables = {**_of_terminal(), **secret}
    like = bundle.process_of(instance)
    words = like | {
        "args": list(command),
        "env": [*like["env"], *(f"{name}={value}" for name, value in variables.items())],
        "terminal": _has_terminal(),
    }
    switches = ["--tty"] if _has_terminal() else []
    return [
        *_crun(instance),
        *switches,
        f"--process={files.unnamed(json.dumps(words))}",
        instance.name,
    ]


def without_terminal(instance: Instance, settings: Settings) -> list[str]:
    """What stands before a command that is to run in the container, which is awake."""
    if settings.is_bundled:
        return [*_crun(instance), instance.name]
    return [*_engine(Engine.of(settings)), instance.container]


def _crun(instance: Instance) -> list[str]:
    return [*bundle.crun(instance), "exec"]


def _engine(engine: Engine) -> list[str]:
    at = [] if engine.is_podman else [f"--host=unix://{engine.path}"]
    return [engine.program, *at, "exec", "--interactive"]


def _of_terminal() -> dict[str, str]:
    """What a program in a container has to know of the caller's terminal."""
    return {"TERM": os.environ.get("TERM", "xterm")} if _has_terminal() else {}


def _by_engine(
    instance: Instance,
    settings: Settings,
    command: Sequence[str],
    service: str,
    secret: Mapping[str, str],
) -> int:
    """Run a command by docker exec or podman exec, and pass signals on, which these do not."""
    engine = Engine.of(settings)
    container = (
        _of_service(engine, instance, service) if settings.is_project else instance.container
    )
    mark = secrets.token_hex(16)
    told = [f"--env={name}" for name in (_MARK, *secret)]  # their values are in the environment
    told += [f"--env={name}={value}" for name, value in _of_terminal().items()]
    switches = ["--tty"] if _has_terminal() else []
    argv = [*_engine(engine), *switches, *told, container, *command]
    environment = {**terminal.environment(), **secret, _MARK: mark}

    def pass_on(number: int) -> None:
        for pid in _marked(f"{_MARK}={mark}".encode()):
            with suppress(OSError):
                os.kill(pid, number)

    numbers = [getattr(signal, name) for name in _PASSED_ON]
    return process.attend(argv, environment, numbers, pass_on)


def _of_service(engine: Engine, instance: Instance, service: str) -> str:
    """The container of a project's service; raises SockwakeError unless there is one of it."""
    found = {
        str((each.get("Labels") or {}).get(belongings.SERVICE)): str(each["Id"])
        for each in belongings.containers(engine, belongings.LABEL, instance.name)
        if each.get("State") == "running"
    }
    if service in found or (not service and len(found) == 1):
        return found[service or next(iter(found))]
    those = ", ".join(sorted(found)) or "none that runs"
    if service:
        raise SockwakeError(
            f"'{instance.name}' has no service '{service}' that runs", f"it has {those}", UNKNOWN
        )
    raise SockwakeError(
        f"'{instance.name}' has several services", f"--service says which: {those}", USAGE
    )


def _marked(mark: bytes) -> list[int]:
    """The first process with a variable, by the host's number, in a pid namespace of its own."""
    found = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError, KeyError):
            with open(f"/proc/{entry}/environ", "rb") as file:
                if mark not in file.read().split(b"\0"):
                    continue
            status = files.text_of(f"/proc/{entry}/status")
            lines = dict(line.partition(":\t")[::2] for line in status.splitlines())
            if len(lines["NSpid"].split()) > 1:
                found[int(entry)] = int(lines["PPid"])
    return [pid for pid, parent in found.items() if parent not in found]
