"""The capabilities of a container's process."""

from collections.abc import Sequence

# what Docker leaves to a container by default; podman leaves less
DEFAULT = (
    *("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW"),
    *("CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE"),
    *("CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE"),
)
EVERY = tuple(
    f"CAP_{name}"
    for name in """
    CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
    NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO
    SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG
    MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM
    BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE
    """.split()  # in the order of their numbers
)


def named(said: str) -> str:
    """A capability's whole name, as in CAP_CHOWN, or ALL; "" for one that there is not."""
    name = said.upper()
    name = name if name == "ALL" or name.startswith("CAP_") else f"CAP_{name}"
    return name if name in ("ALL", *EVERY) else ""


def available() -> set[str]:
    """Those that this process may have, and so give: a machine may itself be a container."""
    with open("/proc/self/status", encoding="utf-8") as file:
        (mask,) = [int(line.split()[1], 16) for line in file if line.startswith("CapBnd:")]
    return {name for number, name in enumerate(EVERY) if mask >> number & 1}


def granted(add: Sequence[str], drop: Sequence[str]) -> list[str]:
    """What is left of the default by cap_add and cap_drop, as Docker reckons it."""
    added, dropped = ({named(each) for each in names} for names in (add, drop))
    if "ALL" in added:
        return [each for each in EVERY if each not in dropped and each in available()]
    kept = set() if "ALL" in dropped else set(DEFAULT) - dropped
    return [each for each in EVERY if each in kept | added]
