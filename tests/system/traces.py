"""Everything that a test may not leave behind: find it, and remove it by force."""

from __future__ import annotations

import json
from pathlib import Path

import docker_engine
from program import must, run
from service import FIRST_PORT

_DIRECTORIES = ("/etc/sockwake", "/var/lib/sockwake", "/var/lib/private/sockwake", "/run/sockwake")
# stays: a copy for every test would take long
_IMAGES = Path("/var/lib/sockwake/images")
# what metrics have counted of all instances since the boot; locks of all instances
_OF_ALL = {Path(f"/run/sockwake-{each}") for each in ("backup", "maintain", "metrics")}


def found(listening_before: set[int]) -> list[str]:
    """A sentence for everything left of any instance. listening_before: ports of others."""
    return [*_files(), *_units(), *_engine(), *_ports(listening_before)]


def listening() -> set[int]:
    """TCP ports in LISTEN state, from sockwake's first one on."""
    ports = {int(line.split()[3].rpartition(":")[2]) for line in must("ss", "-Hltn").splitlines()}
    return {port for port in ports if port >= FIRST_PORT}


def sweep() -> None:
    """Remove by force what a failed test left, so that the next one starts clean."""
    wakers = ("pg-proxy@*.socket", "pg-check@*.timer", "pg-keep@*", "pg-backup@*", "pg-maintain@*")
    run("systemctl", "stop", *wakers, "pg-proxy@*.service", "pg-postgres@*.service")
    for mount in _mounts():
        run("umount", "--lazy", mount)
    listed = run("docker", "ps", "--all", "--format={{.Names}}", "--filter=name=sockwake-").out
    for name in listed.split():
        run("docker", "rm", "--force", "--volumes", name)
    for file in (*_links(), *_stamps()):
        file.unlink()
    for directory in _DIRECTORIES:
        others = ("!", "-path", "./images", "!", "-path", "./images/*")
        run(
            "sh", "-c", 'cd "$0" 2>/dev/null && find . -mindepth 1 "$@" -delete', directory, *others
        )
    run("systemctl", "daemon-reload")
    run("systemctl", "reset-failed", "pg-*")


def _files() -> list[str]:
    left = [
        entry
        for directory in _DIRECTORIES
        if (path := Path(directory)).is_dir()
        for entry in path.iterdir()
        if entry != _IMAGES
    ]
    left += _IMAGES.glob(".*")
    left += {*Path("/run").glob("sockwake-*")} - _OF_ALL
    left += _stamps()
    return [f"{entry} is left" for entry in (*left, *_links())] + [
        f"{mount} is mounted" for mount in _mounts()
    ]


def _stamps() -> list[Path]:
    """What timers with Persistent= have kept of their last time."""
    return list(Path("/var/lib/systemd/timers").glob("stamp-pg-*"))


def _mounts() -> list[str]:
    return [
        line.split()[1]
        for line in Path("/proc/mounts").read_text().splitlines()
        if "sockwake" in line.split()[1]
    ]


def _links() -> list[Path]:
    return list(Path("/etc/systemd/system").glob("*.wants/pg-*@*"))


def _units() -> list[str]:
    listed = must("systemctl", "list-units", "--all", "--no-legend", "--plain", "pg-*@*")
    states = [line.split()[:4] for line in listed.splitlines()]
    return [
        f"{unit} is {active} ({sub})" for unit, _, active, sub in states if active != "inactive"
    ]


def _engine() -> list[str]:
    left = []
    for each in docker_engine.listed("/containers/json?all=1"):
        left.append(f"container {', '.join(each['Names'])} is left ({each['Status']})")
    left += [f"volume {each['Name']} is left" for each in docker_engine.listed("/volumes")]
    networks = docker_engine.listed("/networks", type="custom")
    return left + [f"network {each['Name']} is left" for each in networks]


def _ports(before: set[int]) -> list[str]:
    return [f"port {port} is still open" for port in sorted(listening() - before)]


def claims() -> list[str]:
    """A sentence when sockwake-new takes a port for taken that is not."""
    shown = json.loads(must("sockwake-new", "probe", "--version=18", "--dry-run", "--json"))
    env = shown["files"]["/etc/sockwake/probe/instance.env"]["content"]
    is_free = f"\nPORT={FIRST_PORT}\n" in env
    return [] if is_free else [f"the next free port is not {FIRST_PORT}: {env}"]
