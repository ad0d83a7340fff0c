"""Checks of what would be in every image: secrets, and what makes clones alike."""

import re
from collections.abc import Iterator
from typing import Any

from sockwake.admin.show.baked.subject import Baked, etc, has_secret_name
from sockwake.admin.show.doctor.finding import Finding
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings, pgdata
from sockwake.kinds.table import COMPOSE
from sockwake.oci import needs
from sockwake.postgres.credential import STORES

_KEY = re.compile(r"^-----BEGIN [A-Z ]*PRIVATE KEY-----", re.MULTILINE)
_LINE = re.compile(r"^([A-Za-z_][A-Za-z0-9_.-]*)=(.+)$", re.MULTILINE)
_ENCRYPTED, _HOST_KEY = "/etc/credstore.encrypted", "/var/lib/systemd/credential.secret"
_DEEPEST, _MOST_FILES = 4, 2000  # of the directories that are searched for keys


def secrets(subject: Baked) -> Iterator[Finding]:
    """A secret that everybody has who has the image."""
    tree = subject.tree
    for instance in subject.chosen:
        place = etc(instance)
        if tree.has(f"{place}/password"):
            yield Finding(
                "its password is in the image, the same on every clone; without it each makes one",
                f"rm {instance.password_file}",
                instance.name,
            )
        for path, name in _variables(subject, instance):
            yield Finding(
                f"{tree.shown(path)} has a secret in it, {name}",
                f"editor {tree.shown(path)}  # the image is to read {name}_FILE or a credential",
                instance.name,
            )
        for path in _keys(subject, instance):
            yield Finding(
                f"{tree.shown(path)} is a private key, the same on every clone",
                f"rm {tree.shown(path)}",
                instance.name,
            )
    for instance, settings in subject.valid():
        if settings.has_cluster:
            yield from _of_cluster(subject, instance, settings)
    if subject.is_whole:
        yield from _credentials(subject)


def clones(subject: Baked) -> Iterator[Finding]:
    """What the clones of an image must not have in common."""
    tree = subject.tree
    if not subject.is_whole:
        return
    for path, empty in (("/etc/machine-id", True), ("/var/lib/dbus/machine-id", False)):
        if tree.text(path).strip() not in ("", "uninitialized"):
            if not empty and tree.place(path) == tree.place("/etc/machine-id"):
                continue
            shown = tree.shown(path)
            yield Finding(
                f"every clone would have the same machine-id: {shown} is not empty",
                f"truncate --size=0 {shown}" if empty else f"rm {shown}",
            )
    if tree.has(_HOST_KEY):
        yield Finding(
            f"every clone would have the same key for its credentials, {tree.shown(_HOST_KEY)}",
            f"rm {tree.shown(_HOST_KEY)}  # systemd makes one; encrypt for the machine, or its TPM",
        )


def _variables(subject: Baked, instance: Instance) -> Iterator[tuple[str, str]]:
    """(path, name) of each variable with a secret in it, of those that a container is given."""
    tree = subject.tree
    for path in (f"{etc(instance)}/environment", *_files_of_bundle(instance)):
        for name, value in _LINE.findall(tree.text(path)):
            if has_secret_name(name) and value.strip("\"' "):
                yield path, name
    compose = subject.compose(instance)
    services = compose.get("services") if isinstance(compose, dict) else None
    for service in services.values() if isinstance(services, dict) else ():
        said = service.get("environment") if isinstance(service, dict) else None
        for name, value in _pairs(said):
            if has_secret_name(name) and value and not value.startswith("$"):
                yield f"{etc(instance)}/{COMPOSE}", name


def _files_of_bundle(instance: Instance) -> tuple[str, ...]:
    return (f"{needs.directory()}/{instance.name}/made-of/environment",)


def _pairs(said: Any) -> Iterator[tuple[str, str]]:
    """Name and value of each variable, in either of the ways that compose has."""
    if isinstance(said, dict):
        yield from ((str(name), "" if v is None else str(v)) for name, v in said.items())
    elif isinstance(said, list):
        for each in said:
            name, _, value = str(each).partition("=")
            yield name, value


def _keys(subject: Baked, instance: Instance) -> Iterator[str]:
    """The paths of private keys beside an instance's files, and in a project's directory."""
    settings = subject.settings(instance)
    places = [etc(instance)]
    if isinstance(settings, Settings) and settings.project:
        places.append(settings.project)
    left = _MOST_FILES
    todo = [(place, 0) for place in dict.fromkeys(places)]
    while todo and left > 0:
        place, depth = todo.pop()
        for name in subject.tree.names(place):
            path = f"{place}/{name}"
            left -= 1
            if subject.tree.link(path):
                continue  # what it leads to is elsewhere
            if subject.tree.has_directory(path):
                todo += [(path, depth + 1)] if depth < _DEEPEST else []
            elif _KEY.search(subject.tree.text(path)):
                yield path


def _of_cluster(subject: Baked, instance: Instance, settings: Settings) -> Iterator[Finding]:
    """What must not be in a cluster that is prepared in the image."""
    tree, data = subject.tree, subject.data(settings)
    cluster = pgdata(data, settings.major)
    if not tree.has_file(f"{cluster}/PG_VERSION"):
        return
    for path, what in (
        (f"{data}/sockwake-password", "has the password of every clone in it"),
        (f"{cluster}/server.key", "is a private key, the same on every clone"),
        (f"{cluster}/postmaster.pid", "tells of a server that ran when this was copied"),
    ):
        if tree.has(path):
            shown = tree.shown(path)
            yield Finding(f"{shown} {what}", f"rm {shown}", instance.name)


def _credentials(subject: Baked) -> Iterator[Finding]:
    """Passwords among the credentials of systemd that everybody can read who has the image."""
    tree = subject.tree
    open_to_all = STORES if not tree.has(_HOST_KEY) else (*STORES, _ENCRYPTED)
    for place in open_to_all:
        for name in tree.names(place):
            if name.startswith("sockwake."):
                shown = tree.shown(f"{place}/{name}")
                yield Finding(
                    f"{shown} is a secret that the image can be read for",
                    f"rm {shown}  # give it to each machine",
                )
