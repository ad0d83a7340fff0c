"""Checks of what a wake needs of a tree: definitions, images, data, the package, programs."""

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from sockwake.admin.show.baked.subject import Baked, etc
from sockwake.admin.show.baked.tree import Tree
from sockwake.admin.show.doctor.finding import Finding
from sockwake.config import resolved, scope
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings, pgdata
from sockwake.engine import archives
from sockwake.engine.compose_project import DEFAULT_FILES
from sockwake.errors import SockwakeError
from sockwake.kinds.table import COMPOSE, HOST, KINDS, SERVICE
from sockwake.oci import names, notes
from sockwake.postgres import host_server

_STORES = ("/var/lib/sockwake/images", "/usr/share/sockwake/images")
# what an engine has loaded already
_OF_ENGINES = ("/var/lib/docker/image", "/var/lib/containers/storage/overlay-images")
_COMPOSE = (
    "/usr/bin/docker-compose",
    "/usr/libexec/docker/cli-plugins/docker-compose",
    "/usr/lib/docker/cli-plugins/docker-compose",
)
_EXEC = re.compile(r"^\s*ExecStart\s*=\s*[@:+!|-]*\s*(\"?)(/[^\s\"]+)\1", re.MULTILINE)


def definitions(subject: Baked) -> Iterator[Finding]:
    """A definition of a backend that is missing or cannot be used."""
    for instance, settings in subject.valid():
        file = KINDS[settings.kind].definition_for(settings.runtime)
        try:
            if file == COMPOSE:
                _require_services(subject, f"{etc(instance)}/{COMPOSE}", settings.service)
            elif file == SERVICE:
                yield from _service(subject, instance)
            elif settings.project:
                _require_services(subject, _file_of_project(subject, settings), "")
        except SockwakeError as error:
            path = f"{instance.etc}/{file}" if file else subject.tree.shown(settings.project)
            yield Finding(error.message, error.hint or f"editor {path}", instance.name)


def images(subject: Baked) -> Iterator[Finding]:
    """An image that the first wake would have to ask a registry for."""
    tree = subject.tree
    digests = {path.rpartition("/")[2]: path for place in _STORES for path in _images(tree, place)}
    known = {name for path in digests.values() for name in _names(tree, path)}
    for instance, settings in subject.valid():
        for reference in _references(subject, instance, settings):
            if settings.is_bundled:
                name, digest = resolved.said_of(tree.text(f"{etc(instance)}/resolved.json"))
                is_there = reference in known or (
                    name == reference and digest.removeprefix("sha256:") in digests
                )
                load = scope.command("sockwake images load", "ARCHIVE")
            else:
                file = archives.file_of(reference)
                is_there = any(tree.has_file(f"{place}/{file}") for place in archives.PLACES)
                is_there = is_there or any(map(tree.names, _OF_ENGINES))
                load = f"skopeo copy SOURCE docker-archive:{tree.shown(archives.PLACES[0])}/{file}"
            if not is_there:
                what = f"its image {reference} is not in {subject.where}"
                yield Finding(what, load, instance.name)


def unsettled(subject: Baked) -> Iterator[Finding]:
    """A compose file that the machine has to read, without compose."""
    if any(subject.tree.has_file(path) for path in _COMPOSE):
        return
    for instance, settings in subject.valid():
        is_settled = settings.is_bundled and subject.is_settled(instance)
        if settings.runtime == HOST or is_settled:
            continue
        new = scope.command("sockwake new", instance.name, "--image-archive")
        anew = f"{new} makes it anew without, or "
        place = settings.project or instance.compose_file
        yield Finding(
            f"the machine has no compose, which it needs to read {place}",
            f"{anew if settings.is_bundled else ''}apt install docker-compose, in the tree",
            instance.name,
        )


def data(subject: Baked) -> Iterator[Finding]:
    """Data of which the machine will think that they are lost."""
    tree = subject.tree
    for instance, settings in subject.valid():
        if not settings.has_cluster or subject.data(settings) != instance.data:
            continue  # another place may be a disk of the machine's own
        has_cluster = tree.has_file(f"{pgdata(instance.data, settings.major)}/PG_VERSION")
        note = f"{etc(instance)}/uninitialised"
        if not has_cluster and not tree.has(note):
            yield Finding(
                f"it is to have data in {tree.shown(instance.data)}, and there are none",
                f"touch {tree.shown(note)}  # the first wake makes them",
                instance.name,
            )
        elif has_cluster and tree.has(note):
            yield Finding(
                f"its first wake is to make its data, and {tree.shown(instance.data)} has some",
                f"rm {tree.shown(note)}  # to serve them",
                instance.name,
            )


def _require_services(subject: Baked, path: str, service: str) -> None:
    """Raise SockwakeError unless a compose file has services, and that of this name."""
    said = subject.yaml(path)
    services = said.get("services") if isinstance(said, dict) else None
    if not isinstance(services, dict) or not services:
        raise SockwakeError(f"{subject.tree.shown(path)} has no services")
    if service and service not in services:
        raise SockwakeError(f"{subject.tree.shown(path)} has no service '{service}'")


def _file_of_project(subject: Baked, settings: Settings) -> str:
    paths = [f"{settings.project}/{name}" for name in DEFAULT_FILES]
    if path := next((path for path in paths if subject.tree.has_file(path)), ""):
        return path
    where = subject.tree.shown(settings.project)
    raise SockwakeError(f"its project is not there: {where} has no compose.yaml")


def _service(subject: Baked, instance: Instance) -> Iterator[Finding]:
    """What is wrong with service.conf, whose program has to be in the tree."""
    path = f"{etc(instance)}/{SERVICE}"
    if not subject.tree.has_file(path):
        raise SockwakeError(f"there is no {subject.tree.shown(path)}")
    found = _EXEC.search(subject.tree.text(path))
    if found and not subject.tree.has_program(found[2]):
        yield Finding(
            f"its program {subject.tree.shown(found[2])} is not there",
            f"install it, or editor {subject.tree.shown(path)}",
            instance.name,
        )


def host_servers(subject: Baked) -> Iterator[Finding]:
    """A PostgreSQL of the host that is not installed in the tree."""
    for instance, settings in subject.valid():
        if settings.has_cluster and settings.runtime == HOST:
            program = f"{host_server.binaries(settings.major)}/postgres"
            if not subject.tree.has_program(program):
                yield Finding(
                    f"its server {subject.tree.shown(program)} is not there",
                    f"apt install postgresql-{settings.major}, in the tree",
                    instance.name,
                )


def _images(tree: Tree, place: str) -> Iterator[str]:
    """The paths of the whole images in one of the places for them."""
    for digest in filter(names.is_hex, tree.names(place)):
        path = f"{place}/{digest}"
        if tree.has_file(f"{path}/config.json") and tree.names(f"{path}/rootfs"):
            yield path


def _names(tree: Tree, image: str) -> tuple[str, ...]:
    return notes.parse(tree.text(f"{image}/notes.json")).names


def _references(subject: Baked, instance: Instance, settings: Settings) -> list[str]:
    """The images of an instance, by their names in its compose file, as far as these are plain."""
    if settings.runtime == HOST:
        return []
    if settings.image:
        return [settings.image]
    said = subject.compose(instance) if not settings.project else _project(subject, settings)
    services = said.get("services") if isinstance(said, dict) else None
    found = services.values() if isinstance(services, dict) else ()
    every = [str(each.get("image") or "") for each in found if isinstance(each, dict)]
    return [each for each in dict.fromkeys(every) if each and "$" not in each]


def _project(subject: Baked, settings: Settings) -> Any:
    """What the compose file of a project says, None when that cannot be read."""
    with suppress(SockwakeError):
        return subject.yaml(_file_of_project(subject, settings))
    return None
