"""The scope of a process: the system's systemd, engine and directories, or a user's (--user).

It is an environment variable, and does not change while a process runs or when it calls exec. The
command line and the units of the user manager set it. Imported on the wake path: it imports next to
nothing.
"""

import os

_KEY = "SOCKWAKE_SCOPE"
_USER = "user"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# all that is kept of a caller's environment: the user, the terminal, its editor, the bus of its
# systemd, the proxy to a registry
_KEPT = {
    *("EDITOR", "VISUAL"),
    *("HOME", "LOGNAME", "NO_COLOR", "SHELL", "TERM", "USER"),
    *("DBUS_SESSION_BUS_ADDRESS", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"),
    "XDG_STATE_HOME",
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
}
UID = os.getuid()  # after rootless.enter() it is 0
CALLER: dict[str, str] = {}  # the caller's environment, as it was before choose()
caller_umask = 0o022  # set by the command line, which has one of its own
tree = ""  # set by the command line: what it works on (--root), as its hints have to name it


def choose(*, user: bool) -> None:
    """Set the scope, and remove the caller's environment from what this process will run.

    sudo and su let LD_PRELOAD, DOCKER_HOST, PATH or a HOME with a .docker through, and compose
    would prefer the IMAGE of a shell to that of instance.env.
    """
    import time  # not on the wake path

    CALLER.update(os.environ)
    kept = {name: value for name, value in os.environ.items() if name in _KEPT}
    own = (
        {"PATH": os.environ.get("PATH", _PATH)}
        if user
        else {"HOME": os.path.expanduser("~root"), "PATH": _PATH}
    )
    if user and _is_anothers(kept.get("XDG_RUNTIME_DIR", "")):
        for name in ("DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"):
            kept.pop(name, None)
    os.environ.clear()
    time.tzset()  # TZ has gone: times are those of the machine, as systemd takes and tells them
    os.environ.update(kept | own | {_KEY: _USER if user else "system"})


def _is_anothers(path: str) -> bool:
    """Whether a directory is another user's: su(1) without "-" leaves that of the user before."""
    try:
        return os.stat(path).st_uid != UID
    except OSError:
        return False


def is_user() -> bool:
    """Whether the instances are a user's own."""
    return os.environ.get(_KEY) == _USER


def etc(root: str = "") -> str:
    """The directory of the instances' directories; root is the tree they live in."""
    return _of_the_user("XDG_CONFIG_HOME", ".config") if is_user() else f"{root}/etc/sockwake"


def data() -> str:
    """The directory of the instances' data directories, as the running system sees it."""
    return _of_the_user("XDG_DATA_HOME", ".local/share") if is_user() else "/var/lib/sockwake"


def backups(root: str = "") -> str:
    """The directory of the backups of instances; root is the tree they live in."""
    if is_user():
        return f"{_of_the_user('XDG_STATE_HOME', '.local/state')}/backups"
    return f"{root}/var/backups/sockwake"


def run(root: str = "") -> str:
    """The directory of the instances' runtime directories."""
    return f"{runtime()}/sockwake" if is_user() else f"{root}/run/sockwake"


def runtime() -> str:
    """The user's XDG_RUNTIME_DIR, also where su or sudo have not set the variable."""
    return os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{UID}"


def switch() -> tuple[str, ...]:
    """The option of systemctl, systemd-run and journalctl for the scope."""
    return ("--user",) if is_user() else ()


def command(program: str, *arguments: str) -> str:
    """A command line of systemd's or sockwake's for the administrator to type, in the same scope.

    program: with its verbs, as in "sockwake backups ls". arguments: one word each, which are quoted
    as a shell needs it.
    """
    name = program.split()[0]
    if name.startswith("sockwake"):
        return " ".join(
            (program, *_quoted(*switch(), *(("--root", tree) if tree else ()), *arguments))
        )
    of_tree = (f"--root={tree}",) if tree else ()
    return " ".join((name, *_quoted(*switch(), *of_tree, *program.split()[1:], *arguments)))


def _quoted(*words: str) -> list[str]:
    from shlex import quote

    return [*map(quote, words)]


def as_root(*, or_own: bool = False) -> str:
    """The hint for what root alone may do: "" for root, whom it would not help, and with --user.

    or_own: whether --user does the same for the user's own instances.
    """
    if is_user() or not os.geteuid():
        return ""
    return f"run this as root{', or with --user for your own' if or_own else ''}"


def _of_the_user(variable: str, default: str) -> str:
    base = os.environ.get(variable, "")
    if not base.startswith("/"):  # as the XDG Base Directory Specification has it
        base = f"{os.path.expanduser('~')}/{default}"
    return f"{base}/sockwake"
