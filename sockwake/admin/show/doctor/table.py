"""The checks of sockwake doctor: a table. A new one is a function, and its line here."""

from collections.abc import Sequence

from sockwake.admin.show.doctor import forwarded, instances, leftovers, machine, needed, upkeep
from sockwake.admin.show.doctor.finding import Check, Finding, Found, Patient, command
from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.errors import SockwakeError, failure, reason, shown

CHECKS: dict[str, Check] = {
    "broken": instances.broken,
    "engine": machine.engines,
    "version": machine.versions,
    "image": instances.images_there,
    "project": needed.projects,
    "data": needed.data,
    "program": needed.programs,
    "port": machine.ports_claimed_twice,
    "generated": leftovers.generated,
    "socket": instances.sockets,
    "address": instances.addresses,
    "mode": instances.modes,
    "trust": instances.trust,
    "certificate": instances.certificates,
    "credential": instances.credentials,
    "failure": instances.failed_wakes,
    "unwatched": instances.unwatched,
    "backup": upkeep.backups_made,
    "damage": upkeep.backups_good,
    "upkeep": upkeep.maintained,
    "upgrade": upkeep.unfinished_upgrades,
    "unfinished": upkeep.unfinished_commands,
    "forward": forwarded.leaderless,
    "restart": leftovers.restarts,
    "disk": machine.disk,
    "container": leftovers.containers,
    "directory": leftovers.directories,
    "draft": leftovers.drafts,
    "link": leftovers.links,
    "lingering": machine.lingering,
    "needrestart": machine.needrestart,
}


def examine(chosen: Sequence[Instance], *, is_whole: bool) -> list[Found]:
    """What all checks find; one that cannot be made finds nothing, but that."""
    patient = Patient(chosen, is_whole=is_whole)
    found = []
    for name, check in CHECKS.items():
        try:
            for each in check(patient):
                found.append(Found(name, each))
        except (SockwakeError, OSError) as error:
            found.append(Found(name, unmade(name, failure(error))))
    return found


def unmade(name: str, error: SockwakeError) -> Finding:
    """That a check has ended before its end."""
    what = f"the check '{name}' could not be made: {error.whole}"
    return Finding(what, error.hint or scope.as_root() or command("sockwake", "doctor"))


def mend(found: Sequence[Found]) -> None:
    """Do what can be done without harm, and note what has become of it."""
    for each in found:
        if each.finding.fix is None:
            continue
        try:
            each.finding.fix()
            each.fixed = True
        except SockwakeError as error:
            each.problem = error.whole
        except OSError as error:
            each.problem = reason(error)


def line(found: Found) -> str:
    """A finding on one line, with what mends it."""
    finding = found.finding
    about = f"{finding.name}: " if finding.name else ""
    if found.fixed:
        return shown(f"fixed: {about}{finding.what}")
    tried = f" (not fixed: {found.problem})" if found.problem else ""
    return shown(f"{about}{finding.what}{tried}: {finding.mend}")
