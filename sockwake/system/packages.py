"""Which package of Debian brings a program that sockwake runs, for errors that have to say it."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# by the name that it is called by; what the package depends on is here, too, as it may be broken
OF = {
    "crun": "crun",
    "docker": "docker-cli",
    "docker-compose": "docker-compose",
    "ip": "iproute2",
    "journalctl": "systemd",
    "mount": "mount",
    "openssl": "openssl",
    "podman": "podman",
    "psql": "postgresql-client",
    "skopeo": "skopeo",
    "ss": "iproute2",
    "systemctl": "systemd",
    "systemd-analyze": "systemd",
    "systemd-run": "systemd",
    "umoci": "umoci",
    "umount": "mount",
}
ENGINES = {"docker": "docker.io", "podman": "podman"}
_NOT_FOUND = 127  # what env(1), setpriv(1) and their like end with, as a shell does


def install(program: str) -> str:
    """The command that brings a program; "" for one that is not known."""
    return f"apt install {OF[program]}" if program in OF else ""


def missing(argv: "Sequence[str]", status: int) -> str:
    """The program that argv could not run, which ended with status; "" when that is not why.

    Programs that run another one, as setpriv(1) does, tell it by their status alone; systemd-run(1)
    not even by that.
    """
    called = [word for word in argv if word in OF]
    if status != _NOT_FOUND:
        called = called[:2] if argv[0] == "systemd-run" else []
    return next((each for each in called if not exists(each)), "")


def exists(program: str) -> bool:
    """Whether a program is in PATH."""
    import shutil

    return shutil.which(program) is not None
