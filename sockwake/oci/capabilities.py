"""The capabilities of a container's process."""

from collections.abc import Sequence

# what Docker leaves to a container by default; podman leaves less
DEFAULT = (
    *("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW"),
    *("CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE"),
    *("CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE"),
)
EVERY = (
    *DEFAULT,
    *("CAP_DAC_READ_SEARCH", "CAP_LINUX_IMMUTABLE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN"),
    *("CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_PTRACE"),
    *("CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE"),
    *("CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_LEASE", "CAP_AUDIT_CONTROL"),
    *("CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM"),
    *("CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE"),
)


def named(said: str) -> str:
    """A capability's whole name, as in CAP_CHOWN, or ALL; "" for one that there is not."""
    name = said.upper()
    name = name if name == "ALL" or name.startswith("CAP_") else f"CAP_{name}"
    return name if name in ("ALL", *EVERY) else ""


def granted(add: Sequence[str], drop: Sequence[str]) -> list[str]:
    """What is left of the default by cap_add and cap_drop, as Docker reckons it."""
    added, dropped = ({named(each) for each in names} for names in (add, drop))
    if "ALL" in added:
        return [each for each in EVERY if each not in dropped]
    kept = set() if "ALL" in dropped else set(DEFAULT) - dropped
    return [each for each in EVERY if each in kept | added]
