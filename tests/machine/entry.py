"""Running a program inside a machine, in this one's place."""

from __future__ import annotations

import os
import shlex
import signal
from pathlib import Path
from typing import NamedTuple, NoReturn

import cgroup
from failure import Failure
from guest import Machine

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class User(NamedTuple):
    """A line of the guest's /etc/passwd."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str


def replace(machine: Machine, command: list[str], user: str, tty: bool, stdin: bool) -> NoReturn:
    """Become `command` inside the machine: streams and exit status are its own."""
    argv, env = prepared(machine, command, user, tty)
    settle(machine)
    if not stdin:
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.execve("/usr/bin/nsenter", argv, env)


def settle(machine: Machine) -> None:
    """Count among the guest's processes, so that its end is ours too."""
    os.umask(0o022)
    cgroup.enter(machine.home / cgroup.VISITORS)


def prepared(
    machine: Machine, command: list[str], user: str, tty: bool
) -> tuple[list[str], dict[str, str]]:
    """The arguments and environment of the nsenter that runs `command` inside."""
    pid = machine.first_process()
    account = _user(pid, machine, user)
    if tty:
        # A terminal of the guest's own: the host's has no name in there.
        command = ["script", "--quiet", "--return", "--command", shlex.join(command), "/dev/null"]
    env = {
        "PATH": PATH,
        "HOME": account.home,
        "LANG": "C.UTF-8",
        "LOGNAME": account.name,
        "USER": account.name,
        "SHELL": account.shell,
    }
    if tty:
        env["TERM"] = os.environ.get("TERM", "dumb")
    if account.uid != 0:
        env["XDG_RUNTIME_DIR"] = f"/run/user/{account.uid}"
        env["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path=/run/user/{account.uid}/bus"
    argv = ["nsenter", f"--target={pid}", "--all", f"--wdns={account.home}", "--", "setpriv"]
    if account.uid != 0:
        argv += [f"--reuid={account.uid}", f"--regid={account.gid}", "--init-groups"]
    # A caller that is killed does not leave its command behind.
    return [*argv, "--pdeathsig=KILL", "--", *command], env


def _user(pid: int, machine: Machine, name: str) -> User:
    if name == "root":
        return User("root", 0, 0, "/root", "/bin/bash")
    for line in Path(f"/proc/{pid}/root/etc/passwd").read_text().splitlines():
        fields = line.split(":")
        if fields[0] == name:
            return User(name, int(fields[2]), int(fields[3]), fields[5], fields[6])
    raise Failure(f"machine '{machine.name}' has no user '{name}'")
