"""The system calls that a container may make: the engines' default profile, as strict as Docker's.

The profile that Debian ships is podman's. It lets a container mount, make namespaces and use keys,
as far as capabilities go; Docker's does not, and neither does this.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Collection
from typing import Any

from sockwake.errors import SockwakeError, reason

PROFILE = "/usr/share/containers/seccomp.json"
_ARCHITECTURES = {
    "x86_64": ("amd64", "SCMP_ARCH_X86_64"),
    "aarch64": ("arm64", "SCMP_ARCH_AARCH64"),
    "s390x": ("s390x", "SCMP_ARCH_S390X"),
    "ppc64le": ("ppc64le", "SCMP_ARCH_PPC64LE"),
    "riscv64": ("riscv64", "SCMP_ARCH_RISCV64"),
}
_ALLOW, _ERRNO = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"
_EPERM, _ENOSYS = 1, 38
_NEW_NAMESPACES = 0x7E020000  # CLONE_NEW…, without CLONE_NEWTIME, which is no flag of clone()
_VSOCK, _NETLINK, _AUDIT = 40, 16, 9
# what Docker gives only with one of these capabilities
_WITHHELD = {
    "keyctl add_key request_key": (),
    "fsconfig fsmount fsopen fspick mount mount_setattr move_mount open_tree pivot_root setns "
    "umount umount2 unshare": ("CAP_SYS_ADMIN",),
    "pidfd_getfd": ("CAP_SYS_PTRACE",),
    "get_mempolicy mbind set_mempolicy": ("CAP_SYS_NICE",),
    "reboot": ("CAP_SYS_BOOT",),
    "syslog": ("CAP_SYS_ADMIN", "CAP_SYSLOG"),
}


def profile(capabilities: Collection[str], path: str = PROFILE) -> dict[str, Any]:
    """The linux.seccomp section for a process with these capabilities."""
    try:
        with open(path, encoding="utf-8") as file:
            source = json.load(file)
    except OSError as error:
        raise SockwakeError(
            f"cannot read {path}: {reason(error)}",
            "apt-get install golang-github-containers-common",
        ) from None
    machine = platform.machine()
    if machine not in _ARCHITECTURES:
        raise SockwakeError(f"no seccomp profile for machines of type {machine}")
    arch, native = _ARCHITECTURES[machine]
    others = {each["architecture"]: each["subArchitectures"] for each in source["archMap"]}
    withheld = _withheld(capabilities)
    taken = withheld | {"socket"} | _clones(capabilities)
    rules = [
        _rule([name for name in each["names"] if name not in taken], each)
        for each in source["syscalls"]
        if _applies(each, arch, capabilities)
    ]
    return {
        "defaultAction": source["defaultAction"],
        "defaultErrnoRet": source.get("defaultErrnoRet", _EPERM),
        "architectures": [native, *(others.get(native) or ())],
        "syscalls": [
            *(rule for rule in rules if rule["names"]),
            *_stricter(sorted(withheld), arch, capabilities),
        ],
    }


def _applies(rule: dict[str, Any], arch: str, capabilities: Collection[str]) -> bool:
    """Whether a rule is for this machine and these capabilities."""
    includes, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
    return (
        (not includes.get("arches") or arch in includes["arches"])
        and set(includes.get("caps") or ()) <= set(capabilities)
        and _kernel() >= _version(includes.get("minKernel") or "0")
        and arch not in (excludes.get("arches") or ())
        and not set(excludes.get("caps") or ()) & set(capabilities)
    )


def _kernel() -> tuple[int, ...]:
    return _version(platform.release())


def _version(text: str) -> tuple[int, ...]:
    """(6, 12) of 6.12.3-amd64."""
    parts = text.split("-")[0].split(".")[:2]
    return tuple(int(part) for part in parts if part.isdecimal())


def _rule(names: list[str], rule: dict[str, Any]) -> dict[str, Any]:
    made = {"names": names, "action": rule["action"]}
    if rule.get("args"):
        made["args"] = rule["args"]
    if rule["action"] == _ERRNO:
        made["errnoRet"] = rule.get("errnoRet", _EPERM)
    return made


def _withheld(capabilities: Collection[str]) -> set[str]:
    return {
        name
        for names, needed in _WITHHELD.items()
        if not set(needed) & set(capabilities)
        for name in names.split()
    }


def _clones(capabilities: Collection[str]) -> set[str]:
    return set() if "CAP_SYS_ADMIN" in capabilities else {"clone", "clone3"}


def _stricter(
    withheld: list[str], arch: str, capabilities: Collection[str]
) -> list[dict[str, Any]]:
    """The rules for what was taken out of the profile."""
    rules: list[dict[str, Any]] = [{"names": withheld, "action": _ERRNO, "errnoRet": _EPERM}]
    if _clones(capabilities):  # programs fall back on clone() when there is no clone3()
        flags = 1 if arch == "s390x" else 0
        rules += [
            _allow("clone", _argument(flags, "SCMP_CMP_MASKED_EQ", _NEW_NAMESPACES)),
            {"names": ["clone3"], "action": _ERRNO, "errnoRet": _ENOSYS},
        ]
    if "CAP_AUDIT_WRITE" in capabilities:
        return [*rules, _allow("socket", _argument(0, "SCMP_CMP_NE", _VSOCK))]
    # no vsock, which leads out of a virtual machine, and no netlink socket of the audit system
    return [
        *rules,
        _allow("socket", _argument(0, "SCMP_CMP_LT", _NETLINK)),
        _allow("socket", _argument(0, "SCMP_CMP_LT", _VSOCK), _argument(2, "SCMP_CMP_NE", _AUDIT)),
        _allow("socket", _argument(0, "SCMP_CMP_GT", _VSOCK)),
    ]


def _allow(name: str, *arguments: dict[str, Any]) -> dict[str, Any]:
    return {"names": [name], "action": _ALLOW, "args": list(arguments)}


def _argument(index: int, operation: str, value: int) -> dict[str, Any]:
    """A condition on an argument; of MASKED_EQ: that no bit of value is set."""
    return {"index": index, "value": value, "valueTwo": 0, "op": operation}
