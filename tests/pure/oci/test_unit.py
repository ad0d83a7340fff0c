"""The limits of a service as settings of its unit."""

from __future__ import annotations

import pytest
from services import POSTGRES, RICH, service

from sockwake.oci import spec, unit


@pytest.mark.parametrize(
    ("keys", "settings"),
    [
        ({}, {}),
        ({"mem_limit": "500"}, {"MemoryMax": "500", "MemorySwapMax": "500"}),
        ({"mem_limit": "500", "memswap_limit": "500"}, {"MemoryMax": "500", "MemorySwapMax": "0"}),
        (
            {"mem_limit": "500", "memswap_limit": "-1"},
            {"MemoryMax": "500", "MemorySwapMax": "infinity"},
        ),
        ({"mem_reservation": "7"}, {"MemoryLow": "7"}),
        ({"cpus": 0.5}, {"CPUQuota": "50%"}),
        ({"cpus": 1.5}, {"CPUQuota": "150%"}),
        ({"cpus": 0.333}, {"CPUQuota": "33.3%"}),
        (
            {"cpu_quota": 5000, "cpu_period": 20000},
            {"CPUQuota": "25%", "CPUQuotaPeriodSec": "20000us"},
        ),
        ({"cpu_quota": -1}, {}),
        ({"pids_limit": 100}, {"TasksMax": "100"}),
        ({"pids_limit": -1}, {"TasksMax": "infinity"}),
        ({"cpu_shares": 1024}, {"CPUWeight": "39"}),
        ({"cpuset": "0-1"}, {"AllowedCPUs": "0-1"}),
        (
            {
                "deploy": {
                    "resources": {
                        "limits": {"cpus": 0.5, "memory": "52428800", "pids": 10},
                        "reservations": {"cpus": 0.1, "memory": "20971520"},
                    },
                    "placement": {},
                }
            },
            {
                "MemoryMax": "52428800",
                "MemorySwapMax": "52428800",
                "MemoryLow": "20971520",
                "TasksMax": "10",
                "CPUQuota": "50%",
            },
        ),
    ],
)
def test_limits_are_settings(keys: dict[str, object], settings: dict[str, str]) -> None:
    assert unit.limits(service(POSTGRES, **keys)) == {**unit.EVERY_UNIT, **settings}


@pytest.mark.parametrize(
    ("said", "seconds"),
    [(None, 10), ("5m0s", 300), ("1m30s", 90), ("500ms", 0.5), ("1h0m0s", 3600), ("1.5s", 1.5)],
)
def test_the_time_to_end_is_in_seconds(said: str | None, seconds: float) -> None:
    assert unit.stop_grace(service(POSTGRES, stop_grace_period=said)) == seconds


def test_the_signal_to_end_by_is_the_service_s_or_the_image_s() -> None:
    assert spec.stop_signal(service(RICH), {"StopSignal": "SIGQUIT"}) == "SIGINT"
    assert spec.stop_signal({}, {"StopSignal": "SIGQUIT"}) == "SIGQUIT"
    assert spec.stop_signal({}, {}) == "SIGTERM"
