"""Checks of what is left of instances that are gone, and of systemd's view of those there are."""

import os
import re
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from sockwake.admin import inventory
from sockwake.admin.show.doctor.finding import Finding, Patient, command
from sockwake.config import scope
from sockwake.engine.api import Engine
from sockwake.oci import needs
from sockwake.system import deletion, files, process, systemctl

GENERATOR = "/usr/lib/systemd/{}-generators/sockwake-generator"
_UNITS = re.compile(r"pg-(?:proxy|postgres|wanted|check)@([a-z][a-z0-9-]*)\.")
# what only sockwake writes there
_OF_A_BUNDLE, _OF_A_RUN = ("wake",), ("wake.lock", "asleep-since", "wakes", "failure")
_RELOADED = 1  # seconds in which another daemon-reload writes those files anew
_FIGHTS = ("always", "unless-stopped", "on-failure")


def generated(patient: Patient) -> Iterator[Finding]:
    """Units that systemd has of files as they were before an edit."""
    kind = "user" if scope.is_user() else "system"
    live = f"{scope.runtime() if scope.is_user() else '/run'}/systemd/generator"
    if not os.path.exists(GENERATOR.format(kind)):
        return
    chosen = {instance.name for instance in patient.chosen}
    latest = time.monotonic() + _RELOADED
    while (names := _changed(kind, live)) and time.monotonic() < latest:
        time.sleep(0.3)
    if names & chosen or (patient.is_whole and names):
        yield Finding(
            f"systemd has not read the files of {', '.join(sorted(names)[:5])} as they are now",
            command("systemctl", "daemon-reload"),
            fix=systemctl.reload,
        )


def _changed(kind: str, live: str) -> set[str]:
    """The instances whose generated files are not what the generator of a scope writes now."""
    with tempfile.TemporaryDirectory(prefix="sockwake-doctor-") as place:
        # by another path, with which it complains to nobody but its caller
        etc = {"SYSTEMD_SCOPE": kind, "SOCKWAKE_ETC": f"{scope.etc()}/."}
        process.run([GENERATOR.format(kind), place, place, place], env=etc, check=False)
        wanted, now = _texts(place), _texts(live)
    changed = {name for name in wanted.keys() | now.keys() if wanted.get(name) != now.get(name)}
    return {found[1] for name in changed if (found := _UNITS.match(name))}


def drafts(patient: Patient) -> Iterator[Finding]:
    """What a sockwake-new that was killed has left."""
    for draft in inventory.unfinished() if patient.is_whole else ():
        if inventory.is_abandoned(draft):
            yield Finding(
                f"{draft.etc} was left by a sockwake-new that was killed",
                command("sockwake rm", draft.name),
            )


def links(patient: Patient) -> Iterator[Finding]:
    """Sockets that are enabled, of instances that are not there."""
    base = "/etc/systemd/system"
    if scope.is_user():
        base = f"{os.path.dirname(scope.etc())}/systemd/user"
    names = {instance.name for instance in patient.every}
    for path in sorted(Path(base).glob("sockets.target.wants/pg-proxy@*.socket")):
        found = _UNITS.match(path.name)
        if patient.is_whole and found and found[1] not in names:
            yield Finding(
                f"{path.name} is enabled, and there is no instance '{found[1]}'",
                command("systemctl", "disable", path.name),
                fix=partial(_disable, path.name),
            )


def _disable(unit: str) -> None:
    systemctl.disable(unit)
    systemctl.reload()


def directories(patient: Patient) -> Iterator[Finding]:
    """Bundles, and notes in /run, of instances that are not there."""
    if not patient.is_whole:
        return
    names = {each.name for each in (*patient.every, *inventory.unfinished())}
    for place, marks in ((needs.directory(), _OF_A_BUNDLE), (scope.run(), _OF_A_RUN)):
        for entry in _folders(place):
            path = f"{place}/{entry}"
            if entry in names or not any(os.path.exists(f"{path}/{mark}") for mark in marks):
                continue
            yield Finding(
                f"{path} is of no instance",
                f"rm -r {path}",
                # a namespace may be mounted in the other
                fix=partial(deletion.tree, path) if marks == _OF_A_BUNDLE else None,
            )


def containers(patient: Patient) -> Iterator[Finding]:
    """Containers of instances that are not there, by their label."""
    names = {each.name for each in (*patient.every, *inventory.unfinished())}
    for engine, name, details in patient.containers if patient.is_whole else ():
        if name not in names:
            called = str(details.get("Name") or details.get("Id")).removeprefix("/")
            yield Finding(
                f"container {called} in {engine.program} is of no instance",
                f"{engine.program} rm --force {called}",
            )


def restarts(patient: Patient) -> Iterator[Finding]:
    """Containers that an engine starts by itself, though systemd is to decide when."""
    chosen = {instance.name: patient.settings(instance) for instance in patient.chosen}
    for engine, name, details in patient.containers:
        host = details.get("HostConfig")
        policy = host.get("RestartPolicy") if isinstance(host, dict) else None
        wanted = str(policy.get("Name") or "") if isinstance(policy, dict) else ""
        if name in chosen and wanted in _FIGHTS:
            called = str(details.get("Name") or "").removeprefix("/")
            argv = [engine.program, "update", "--restart=no", called]
            yield Finding(
                f"{engine.program} restarts its container by itself ({wanted})",
                " ".join(argv),
                name,
                partial(_update, argv, engine),
            )


def _update(argv: list[str], engine: Engine) -> None:
    host = [] if engine.is_podman else [f"--host=unix://{engine.path}"]
    process.run([argv[0], *host, *argv[1:]])


def _texts(directory: str) -> dict[str, str]:
    """The drop-ins of instances in a generator's directory, by their paths in it."""
    found = {}
    for path in Path(directory).glob("pg-*@*.d/*"):
        found[str(path.relative_to(directory))] = files.text_of(str(path))
    return found


def _folders(place: str) -> list[str]:
    try:
        entries = [*os.scandir(place)]
        return sorted(each.name for each in entries if each.is_dir(follow_symlinks=False))
    except OSError:
        return []
