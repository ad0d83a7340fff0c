"""Whose systemd, engine and directories: the system's, or a user's own (sockwake … --user).

A process works in one scope from its start to its end, and so does what it becomes: the environment says which.
The units of the user manager set it, and the command line. Imported on the wake path, so it imports next to nothing.
"""

import os

_KEY = "SOCKWAKE_SCOPE"
_USER = "user"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# what stays of a caller's environment: who it is, where its systemd listens, and how to reach a registry
_KEPT = {
    *("HOME", "LOGNAME", "SHELL", "TERM", "USER"),
    *("DBUS_SESSION_BUS_ADDRESS", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"),
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
}
UID = os.getuid()  # before rootless.enter(), behind which everybody is root


def choose(*, user: bool) -> None:
    """Work in the user's own scope, or in the system's, where nothing of a caller's environment gets into what root runs.

    sudo and su let more or less of it through: an LD_PRELOAD, a DOCKER_HOST, a PATH, a HOME with a .docker in it. And
    compose would take an IMAGE of somebody's shell for the one of instance.env.
    """
    kept = {name: value for name, value in os.environ.items() if name in _KEPT}
    own = (
        {"PATH": os.environ.get("PATH", _PATH)}
        if user
        else {"HOME": os.path.expanduser("~root"), "PATH": _PATH}
    )
    os.environ.clear()
    os.environ.update(kept | own | {_KEY: _USER if user else "system"})


def is_user() -> bool:
    """Whether this is about a user's own instances."""
    return os.environ.get(_KEY) == _USER


def etc(root: str = "") -> str:
    """The directory of the instances' directories; root is the tree they live in."""
    return _of_the_user("XDG_CONFIG_HOME", ".config") if is_user() else f"{root}/etc/sockwake"


def data() -> str:
    """The directory of the instances' data directories, as the running system sees it."""
    return _of_the_user("XDG_DATA_HOME", ".local/share") if is_user() else "/var/lib/sockwake"


def run(root: str = "") -> str:
    """The directory of the instances' runtime directories."""
    return f"{runtime()}/sockwake" if is_user() else f"{root}/run/sockwake"


def runtime() -> str:
    """The user's XDG_RUNTIME_DIR. A shell that su or sudo made has it, though it does not know."""
    return os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{UID}"


def switch() -> tuple[str, ...]:
    """What systemctl, systemd-run and journalctl have to be told."""
    return ("--user",) if is_user() else ()


def command(program: str, *arguments: str) -> str:
    """A command line of systemd's, or of sockwake's own, for people to type."""
    return " ".join((program, *switch(), *arguments))


def _of_the_user(variable: str, default: str) -> str:
    base = os.environ.get(variable, "")
    if not base.startswith("/"):  # as the XDG Base Directory Specification has it
        base = f"{os.path.expanduser('~')}/{default}"
    return f"{base}/sockwake"
