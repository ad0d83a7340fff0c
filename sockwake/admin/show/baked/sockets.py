"""Checks of what opens the ports: enabled sockets, presets, and others with the same ports."""

import re
from collections.abc import Iterator

from sockwake.admin.show import exposure
from sockwake.admin.show.baked import presets
from sockwake.admin.show.baked.subject import Baked
from sockwake.admin.show.doctor import machine
from sockwake.admin.show.doctor.finding import Finding
from sockwake.config import scope

TEMPLATE = "pg-proxy@.socket"
_UNITS = tuple(
    f"{place}/systemd/system" for place in ("/etc", "/run", "/usr/local/lib", "/usr/lib")
)
_WANTS = "sockets.target.wants"
_STREAM = re.compile(r"^\s*ListenStream\s*=\s*(.*?)\s*$", re.MULTILINE)
_ADDRESS = re.compile(r"(?:(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):)?(\d{1,5})")
_CLUSTERS = "/etc/postgresql"
_CLUSTER_PORT = re.compile(r"^\s*port\s*=\s*'?(\d{1,5})", re.MULTILINE)
_EVERY = "::"  # what a socket of systemd's listens on that names no address


def enabled(subject: Baked) -> Iterator[Finding]:
    """A socket that will not be open after the boot, or cannot be."""
    tree = subject.tree
    for instance in subject.chosen:
        unit = instance.socket_unit
        masked = next(
            (each for each in (unit, TEMPLATE) if tree.link(f"{_UNITS[0]}/{each}") == "/dev/null"),
            "",
        )
        if masked:
            what, verb, which = f"{masked} is masked: its port stays closed", "unmask", masked
        elif not any(tree.link(f"{place}/{_WANTS}/{unit}") for place in _UNITS):
            what, verb, which = "its port will not be open after the boot", "enable", unit
        else:
            continue
        yield Finding(what, scope.command("systemctl", verb, which), instance.name)


def preset(subject: Baked) -> Iterator[Finding]:
    """A preset by which preset-all, which image builders run, would close the ports."""
    rule = presets.rule_for(TEMPLATE, [*presets.rules(subject.tree)])
    if rule and rule.action == "disable" and subject.chosen:
        place = subject.tree.shown(presets.DIRECTORIES[0])
        names = " ".join(each.name for each in subject.every)
        yield Finding(
            f"systemctl preset-all would disable every instance's port: "
            f"{subject.tree.shown(rule.path)}:{rule.number} says disable {rule.pattern}",
            f"mkdir -p {place}; echo 'enable {TEMPLATE} {names}' >{place}/00-sockwake.preset",
        )


def ports(subject: Baked) -> Iterator[Finding]:
    """Two instances with the same place, and an instance with that of another program."""
    yield from machine.ports_claimed_twice(subject)
    taken = [*_others(subject), *_clusters(subject)]
    for instance, settings in subject.valid():
        for address, port in settings.places:
            for theirs, number, claimant in taken:
                if exposure.clash((address, port), (theirs, number)) or (
                    port == number and theirs == _EVERY and not address.startswith("/")
                ):
                    yield Finding(
                        f"port {port} is that of {claimant}, too",
                        f"editor {instance.env_file}",
                        instance.name,
                    )


def _others(subject: Baked) -> Iterator[tuple[str, int, str]]:
    """(address, port, unit) of every enabled socket that is none of sockwake's."""
    tree = subject.tree
    units = {name for place in _UNITS for name in tree.names(f"{place}/{_WANTS}")}
    for unit in sorted(units):
        if not unit.endswith(".socket") or unit.startswith("pg-proxy@"):
            continue
        for stream in _streams(subject, unit):
            if found := _ADDRESS.fullmatch(stream):
                yield found[1] or found[2] or _EVERY, int(found[3]), unit


def _streams(subject: Baked, unit: str) -> list[str]:
    """The values of ListenStream= of a unit with its drop-ins; an empty one forgets the others."""
    tree = subject.tree
    prefix, at, _ = unit.partition("@")
    names = [unit, f"{prefix}@.socket"] if at else [unit]
    found = [f"{place}/{name}" for name in names for place in _UNITS]
    paths = [path for path in found if tree.has_file(path)][:1]
    for name in names[::-1]:
        for place in _UNITS[::-1]:
            folder = f"{place}/{name}.d"
            paths += [f"{folder}/{each}" for each in tree.names(folder) if each.endswith(".conf")]
    streams: list[str] = []
    for path in paths:
        for value in _STREAM.findall(tree.text(path)):
            streams = [*streams, value] if value else []
    return streams


def _clusters(subject: Baked) -> Iterator[tuple[str, int, str]]:
    """(address, port, name) of every PostgreSQL cluster that Debian's packages start."""
    tree = subject.tree
    for version in tree.names(_CLUSTERS):
        for cluster in tree.names(f"{_CLUSTERS}/{version}"):
            place = f"{_CLUSTERS}/{version}/{cluster}"
            if not tree.has_file(f"{place}/postgresql.conf"):
                continue
            if "auto" not in (tree.text(f"{place}/start.conf") or "auto"):
                continue
            said = _CLUSTER_PORT.findall(tree.text(f"{place}/postgresql.conf"))
            for port in said[-1:] or ["5432"]:
                yield _EVERY, int(port), f"the PostgreSQL cluster {version}/{cluster}"
