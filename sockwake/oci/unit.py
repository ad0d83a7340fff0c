"""What of a service is for its unit: limits, and how to stop it."""

from __future__ import annotations

import re
from typing import Any

# crun without a cgroup manager limits no devices: the unit does, to those that it makes. The soft
# limit of open files is as high as the hard one, as from Debian 13's Docker (docs/decisions.md).
EVERY_UNIT = {"DevicePolicy": "closed", "LimitNOFILE": "524288"}
_SECONDS = {"h": 3600, "m": 60, "s": 1, "ms": 0.001, "us": 0.000001, "µs": 0.000001}


def limits(service: dict[str, Any]) -> dict[str, str]:
    """Settings of systemd, as in {"MemoryMax": "524288000"}, for the unit of a service.

    Bytes, percents of one processor, numbers of processes.
    """
    resources = (service.get("deploy") or {}).get("resources") or {}
    most, least = resources.get("limits") or {}, resources.get("reservations") or {}
    made = dict(EVERY_UNIT)
    memory = int(most.get("memory") or service.get("mem_limit") or 0)
    if memory:
        swap = int(service.get("memswap_limit") or 2 * memory)
        made["MemoryMax"] = str(memory)
        made["MemorySwapMax"] = "infinity" if swap < 0 else str(max(swap - memory, 0))
    if low := int(least.get("memory") or service.get("mem_reservation") or 0):
        made["MemoryLow"] = str(low)
    if pids := int(most.get("pids") or service.get("pids_limit") or 0):
        made["TasksMax"] = str(pids) if pids > 0 else "infinity"
    if cpus := float(most.get("cpus") or service.get("cpus") or 0):
        made["CPUQuota"] = _percent(cpus)
    elif (quota := int(service.get("cpu_quota") or 0)) > 0:
        period = int(service.get("cpu_period") or 100_000)
        made |= {"CPUQuota": _percent(quota / period), "CPUQuotaPeriodSec": f"{period}us"}
    if shares := int(service.get("cpu_shares") or 0):
        made["CPUWeight"] = str(1 + (min(max(shares, 2), 262_144) - 2) * 9999 // 262_142)
    if service.get("cpuset"):
        made["AllowedCPUs"] = str(service["cpuset"])
    return made


def _percent(processors: float) -> str:
    return f"{processors * 100:.2f}".rstrip("0").rstrip(".") + "%"


def stop_signal(service: dict[str, Any], image: dict[str, Any]) -> str:
    """The signal that ends the server, as in SIGINT; what a number means is left to systemd."""
    said = str(service.get("stop_signal") or image.get("StopSignal") or "SIGTERM")
    return said if said.isdecimal() or said.startswith("SIG") else f"SIG{said}"


def stop_grace(service: dict[str, Any]) -> float:
    """Seconds that the server has to end."""
    said = str(service.get("stop_grace_period") or "")
    return seconds(said) if said else 10


def seconds(said: str) -> float:
    """A span of time as compose prints it, as in 1m30s."""
    return sum(
        float(number) * _SECONDS[unit]
        for number, unit in re.findall(r"([0-9.]+)(ms|us|µs|h|m|s)", said)
    )
