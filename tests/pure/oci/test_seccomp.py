"""The filter of system calls: the profile that Debian ships, as strict as Docker's."""

from __future__ import annotations

import json
import platform
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from sockwake.errors import SockwakeError
from sockwake.oci import capabilities, seccomp
from sockwake.oci.capabilities import DEFAULT, EVERY, granted

ALLOW, ERRNO = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"
WITHHELD = "keyctl mbind mount pidfd_getfd reboot syslog unshare"
# in the form of golang-github-containers-common 0.62
PROFILE = {
    "defaultAction": ERRNO,
    "defaultErrnoRet": 38,
    "archMap": [
        {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
        {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
    ],
    "syscalls": [
        {"names": ["vmsplice"], "action": ERRNO, "args": [], "errnoRet": 1, "errno": "EPERM"},
        {
            "names": f"{WITHHELD} clone clone3 read".split(),
            "action": ALLOW,
            "args": [],
            "includes": {},
            "excludes": {},
        },
        {
            "names": ["personality"],
            "action": ALLOW,
            "args": [{"index": 0, "value": 8, "valueTwo": 0, "op": "SCMP_CMP_EQ"}],
        },
        {"names": ["arch_prctl"], "action": ALLOW, "includes": {"arches": ["amd64", "x32"]}},
        {"names": ["set_tls"], "action": ALLOW, "includes": {"arches": ["arm", "arm64"]}},
        {"names": ["ptrace"], "action": ALLOW, "includes": {"minKernel": "4.8"}},
        {"names": ["later"], "action": ALLOW, "includes": {"minKernel": "99.1"}},
        {"names": ["bpf", "setns"], "action": ALLOW, "includes": {"caps": ["CAP_SYS_ADMIN"]}},
        {
            "names": ["bpf", "setns"],
            "action": ERRNO,
            "errnoRet": 1,
            "excludes": {"caps": ["CAP_SYS_ADMIN"]},
        },
        {"names": ["socket"], "action": ALLOW, "args": None, "includes": {"caps": DEFAULT[-1:]}},
    ],
}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(platform, "release", lambda: "6.12.48+deb13-amd64")
    (tmp_path / "seccomp.json").write_text(json.dumps(PROFILE))
    return str(tmp_path / "seccomp.json")


def actions(made: dict[str, Any], name: str) -> list[str]:
    return [rule["action"] for rule in made["syscalls"] if name in rule["names"]]


@pytest.mark.parametrize("capabilities", [(), DEFAULT])
def test_what_docker_withholds_and_podman_does_not_is_not_permitted(
    path: str, capabilities: Collection[str]
) -> None:
    made = seccomp.profile(capabilities, path)
    for name in f"{WITHHELD} setns clone3".split():
        assert actions(made, name) == [ERRNO], name
    (clone,) = [rule for rule in made["syscalls"] if "clone" in rule["names"]]
    assert clone["args"] == [
        {"index": 0, "value": 2114060288, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
    ]
    assert actions(made, "read") == actions(made, "personality") == [ALLOW]
    assert made["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]


def test_a_capability_brings_its_system_calls_and_none_brings_keys(path: str) -> None:
    made = seccomp.profile(EVERY, path)
    for name in "mbind mount pidfd_getfd reboot setns bpf syslog unshare clone clone3".split():
        assert actions(made, name) == [ALLOW], name
    assert actions(made, "keyctl") == [ERRNO]


def test_rules_are_for_a_machine_and_its_kernel(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = seccomp.profile((), path)
    assert actions(made, "arch_prctl") == actions(made, "ptrace") == [ALLOW]
    assert actions(made, "set_tls") == actions(made, "later") == []
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    made = seccomp.profile((), path)
    assert actions(made, "arch_prctl") == [] and actions(made, "set_tls") == [ALLOW]
    assert made["architectures"] == ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]
    monkeypatch.setattr(platform, "machine", lambda: "abacus")
    with pytest.raises(SockwakeError, match="machines of type abacus"):
        seccomp.profile((), path)


@pytest.mark.parametrize(
    ("capabilities", "family", "protocol", "is_allowed"),
    [
        *((capabilities, 2, 0, True) for capabilities in ((), DEFAULT)),
        *((capabilities, 40, 0, False) for capabilities in ((), DEFAULT)),
        *((capabilities, 44, 9, True) for capabilities in ((), DEFAULT)),
        *((capabilities, 16, 0, True) for capabilities in ((), DEFAULT)),
        ((), 16, 9, False),
        (DEFAULT, 16, 9, True),
    ],
)
def test_sockets_lead_neither_to_the_hypervisor_nor_to_the_audit_system(
    path: str, capabilities: Collection[str], family: int, protocol: int, is_allowed: bool
) -> None:
    compare = {"SCMP_CMP_NE": int.__ne__, "SCMP_CMP_LT": int.__lt__, "SCMP_CMP_GT": int.__gt__}
    arguments = (family, 1, protocol)
    rules = [r for r in seccomp.profile(capabilities, path)["syscalls"] if "socket" in r["names"]]
    assert is_allowed is any(
        all(compare[arg["op"]](arguments[arg["index"]], arg["value"]) for arg in rule["args"])
        for rule in rules
    )


def test_without_a_profile_the_package_that_has_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(SockwakeError, match="no such file") as error:
        seccomp.profile((), str(tmp_path / "none"))
    assert "golang-github-containers-common" in error.value.hint


@pytest.mark.parametrize(
    ("add", "drop", "expected"),
    [
        ([], [], set(DEFAULT)),
        (["net_admin"], ["CHOWN"], set(DEFAULT) - {"CAP_CHOWN"} | {"CAP_NET_ADMIN"}),
        (["CAP_CHOWN"], ["ALL"], {"CAP_CHOWN"}),
        (["ALL"], ["SYS_ADMIN"], set(EVERY) - {"CAP_SYS_ADMIN"}),
        (["all"], [], set(EVERY)),
        ([], ["all"], set()),
    ],
)
def test_capabilities_are_reckoned_as_by_docker(
    add: list[str], drop: list[str], expected: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capabilities, "available", lambda: set(EVERY))
    assert set(granted(add, drop)) == expected
