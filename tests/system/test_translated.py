"""A service is given the same by crun as by Docker: compose's own words, in both."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import bundle
from bundle import Image
from program import must

HERE = Path(__file__).parent
PROBE = "/usr/local/bin/translated-probe"
# a container without a name has one that its engine gives it; a soft limit of systemd's is 0
_OTHER = ("variable HOSTNAME", "name", "limit Max core file size")
_FILES = "limit Max open files"  # without one of the service's own its unit's, and none runs here
RICH = {
    "cap_add": ["NET_ADMIN"],
    "cap_drop": ["MKNOD", "cap_chown"],
    "dns": ["1.1.1.1"],
    "dns_opt": ["ndots:2"],
    "dns_search": ["x.example"],
    "domainname": "dd",
    "environment": {"A": "x$$y", "PG_MAJOR": None, "C": 1, "E": "a b"},
    "extra_hosts": ["db.example:192.0.2.7"],
    "group_add": ["adm", 12],
    "hostname": "hh",
    "oom_score_adj": 100,
    "security_opt": ["no-new-privileges:true"],
    "shm_size": "32mb",
    "sysctls": {"net.core.somaxconn": 1024},
    "tmpfs": ["/run", "/t:size=10m,mode=1770,exec"],
    "ulimits": {"nofile": 1000, "nproc": {"soft": 100, "hard": 200}},
    "working_dir": "/var/lib",
}
C = {"type": "bind", "source": "{folder}", "target": "/c"}
SERVICES: dict[str, dict[str, Any]] = {
    "bare": {},
    "rich": RICH,
    "as a user": {**RICH, "user": "postgres"},
    "as a user and a group": {"user": "postgres:ssl-cert", "cap_add": ["NET_ADMIN"]},
    "as a number": {"user": "999"},
    "as an unknown number": {"user": "4711:13", "group_add": ["ssl-cert"]},
    "with every capability": {"cap_add": ["ALL"], "cap_drop": ["SYS_TIME"]},
    "on the host's network": {"network_mode": "host"},
    "with binds": {
        "volumes": [
            "{folder}/a:/a:ro",
            "{folder}/b:/var/run/b",
            {
                "type": "bind",
                "source": "{folder}",
                "target": "/c",
                "bind": {"propagation": "rslave"},
            },
            {"type": "tmpfs", "target": "/t", "tmpfs": {"size": 1048576, "mode": 0o750}},
        ],
        "tmpfs": ["/run"],
    },
    "with an init": {"init": True},
}


@pytest.fixture(scope="module")
def unpacked(image: str) -> Iterator[Image]:
    """An image, and crun to run it."""
    bundle.require_crun()
    with bundle.unpacked(image) as one:
        yield one


@pytest.mark.parametrize("what", SERVICES)
def test_a_service_is_given_the_same_by_both(unpacked: Image, tmp_path: Path, what: str) -> None:
    for each in ("a", "b"):
        (tmp_path / each).mkdir()
    script = tmp_path / "probe.pl"
    script.write_text((HERE / "translated_probe.pl").read_text())
    keys = json.loads(json.dumps(SERVICES[what]).replace("{folder}", str(tmp_path)))
    service = {
        "image": "postgres:18",
        "network_mode": "none",
        "read_only": True,
        "entrypoint": ["perl", PROBE],
        "command": ["a b", "$$HOME"],
        **keys,
        "volumes": [*keys.get("volumes", ()), f"{script}:{PROBE}:ro"],
    }
    file = tmp_path / "compose.yaml"
    file.write_text(json.dumps({"services": {"s": service}}))
    compose = ("docker", "compose", "--project-name", "translated", "--file", str(file))
    printed = json.loads(must(*compose, "config", "--format", "json"))["services"]["s"]
    by_docker = _read(must(*compose, "run", "--rm", "--no-TTY", "s"))
    made = bundle.translate(tmp_path, "translated", unpacked, printed, "spec")
    by_crun = _read(made.run().expect(0).out)
    differing = "\n".join(
        f"{key}: by crun {by_crun.get(key)}, by Docker {by_docker.get(key)}"
        for key in sorted(by_crun.keys() | by_docker.keys())
        if by_crun.get(key) != by_docker.get(key) and (key != _FILES or "ulimits" in service)
    )
    assert not differing, differing


def _read(said: str) -> dict[str, str]:
    lines = (line.split("\t", 1) for line in said.splitlines())
    return {what: how for what, how in lines if what not in _OTHER}
