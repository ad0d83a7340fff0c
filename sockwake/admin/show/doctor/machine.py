"""Checks of the machine: engines, versions, the disk, other programs that restart units."""

import glob
import os
import re
from collections.abc import Iterator
from functools import partial

from sockwake.admin.show import exposure
from sockwake.admin.show.doctor.finding import Finding, Patient, command
from sockwake.admin.words import size
from sockwake.config import scope
from sockwake.config.settings import Settings
from sockwake.engine.api import Engine
from sockwake.system import files, packages, process, systemctl

_LEAST_SPACE, _LEAST_SHARE = 1 << 30, 0.05  # bytes, and of all there are
NEEDRESTART = "/etc/needrestart"
_OURS = "backup|check|expire|held|hours|keep|maintain|postgres|proxy|wanted"
_KEEP_OFF = f"$nrconf{{override_rc}}->{{qr(^(pg-({_OURS})@|sockwake-(init|programs)-))}} = 0;"
_NUMBER = re.compile(r"(?<![A-Za-z\d.])v?(\d+)(?:\.(\d+))?")  # no part of a name, as in iproute2
# program, how it says its version, the first good version, and what is wrong before
_VERSIONS = (
    ("systemctl", "--version", (254,), "starts no proxy in a container's network"),
    ("docker-compose", "version", (2, 19), "resets only the first of two keys of a file"),
    ("ss", "--version", (5, 2), "writes a connection on several lines"),
    ("openssl", "version", (3, 0), "makes no certificate without a question"),
)


def engines(patient: Patient) -> Iterator[Finding]:
    """An engine that instances need and that does not run."""
    needing: dict[str, list[str]] = {}
    for instance, settings in patient.valid():
        if settings.needs_engine:
            needing.setdefault(Engine.of(settings).path, []).append(instance.name)
    for path, names in needing.items():
        engine = Engine(path)
        unit = "podman.socket" if engine.is_podman else "docker.service"
        sockets = systemctl.active(unit, unit.replace(".service", ".socket"))
        if "active" not in sockets.values():
            yield Finding(
                f"{engine.program} does not run, and {_several(names)} cannot be woken without it",
                command("systemctl", "enable", "--now", unit),
            )


def versions(patient: Patient) -> Iterator[Finding]:
    """A program that is too old, by what it says of itself."""
    for program, option, least, problem in _VERSIONS if patient.is_whole else ():
        if not process.exists(program):
            continue
        said = _NUMBER.search(process.run([program, option], check=False))
        if said and tuple(int(part or 0) for part in said.groups())[: len(least)] < least:
            known = ".".join(map(str, least))
            yield Finding(
                f"{program} is of version {said[0]}, which {problem}",
                f"{packages.install(program)}  # {known} or later",
            )


def disk(patient: Patient) -> Iterator[Finding]:
    """A file system that is nearly full: of data, of images, of what is noted in /run."""
    places = {scope.data(), scope.run()} if patient.is_whole else set[str]()
    places |= {settings.data for _, settings in patient.valid() if settings.data}
    seen: set[int] = set()
    for place in sorted(places):
        try:
            device, room = os.stat(place).st_dev, os.statvfs(place)
        except OSError:
            continue
        if device in seen:
            continue
        seen.add(device)
        free, whole = room.f_bavail * room.f_frsize, room.f_blocks * room.f_frsize
        if free < min(_LEAST_SPACE, whole * _LEAST_SHARE):
            yield Finding(
                f"the file system of {place} has only {size(free)} left",
                command("sockwake images", "prune") + f", or df -h {place}",
            )
        elif room.f_files and not room.f_favail:
            yield Finding(f"the file system of {place} has no inode left", f"df -i {place}")


def needrestart(patient: Patient) -> Iterator[Finding]:
    """needrestart(1) would restart what is awake, and cut off its clients."""
    its_own = f"{NEEDRESTART}/needrestart.conf"
    if not patient.is_whole or scope.is_user() or not os.path.exists(its_own):
        return
    texts = map(files.text_of, [its_own, *glob.glob(_confs())])
    lines = [line.strip() for text in texts for line in text.splitlines()]
    if not any("pg-" in line and not line.startswith("#") for line in lines):
        path = f"{NEEDRESTART}/conf.d/sockwake.conf"
        yield Finding(
            "needrestart restarts what is awake after an upgrade, which cuts off its clients",
            f"echo '{_KEEP_OFF}' > {path}",
            fix=partial(_write, path),
        )


def lingering(patient: Patient) -> Iterator[Finding]:
    """A user's instances of which none listens before the user has logged in."""
    if scope.is_user() and patient.chosen and not systemctl.lingers():
        yield Finding("the ports are open only while you are logged in", "loginctl enable-linger")


def ports_claimed_twice(patient: Patient) -> Iterator[Finding]:
    """Instances with the same address and port, of which only one can listen."""
    claims: dict[int, list[tuple[tuple[str, int], str]]] = {}
    for instance in patient.every:
        settings = patient.settings(instance)
        for place in settings.places if isinstance(settings, Settings) else ():
            claims.setdefault(place[1], []).append((place, instance.name))
    chosen = {instance.name for instance in patient.chosen}
    for sharing in claims.values():
        seen: set[frozenset[str]] = set()
        for place in dict.fromkeys(place for place, _ in sharing):
            names = sorted({name for other, name in sharing if exposure.clash(place, other)})
            if names[1:] and chosen & set(names) and frozenset(names) not in seen:
                seen.add(frozenset(names))
                address, port = place
                where = address if address.startswith("/") else f"{address} port {port}"
                yield Finding(
                    f"{_several(names)} have the same place, {where}",
                    f"editor {patient.every[0].etc.rpartition('/')[0]}/{names[-1]}/instance.env",
                )


def _several(names: list[str]) -> str:
    plural = "instances" if names[1:] else "instance"
    more = f" and {len(names) - 5} more" if names[5:] else ""
    return f"{plural} {', '.join(names[:5])}{more}"


def _confs() -> str:
    return f"{NEEDRESTART}/conf.d/*.conf"


def _write(path: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    files.write_new(path, 0o644, f"# Written by sockwake doctor --fix.\n{_KEEP_OFF}\n")
