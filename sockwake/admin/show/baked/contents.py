"""Checks of what a wake needs of a tree: definitions, images, data, the package, programs."""

import re
from collections.abc import Iterator

from sockwake.admin.show.baked.subject import Baked, etc
from sockwake.admin.show.doctor.finding import Finding
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings, pgdata
from sockwake.engine.compose_project import DEFAULT_FILES
from sockwake.errors import SockwakeError
from sockwake.kinds.table import COMPOSE, HOST, KINDS, SERVICE
from sockwake.oci import names, notes
from sockwake.postgres import host_server

_STORES = ("/var/lib/sockwake/images", "/usr/share/sockwake/images")
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
                _require_project(subject, settings)
        except SockwakeError as error:
            path = f"{instance.etc}/{file}" if file else subject.tree.shown(settings.project)
            yield Finding(error.message, error.hint or f"editor {path}", instance.name)


def images(subject: Baked) -> Iterator[Finding]:
    """An image that the first wake would have to ask a registry for."""
    every = {name for place in _STORES for name in _image_names(subject, place)}
    for instance, settings in subject.valid():
        if not settings.is_bundled:
            continue
        reference = settings.image or _image_of_compose(subject, instance, settings)
        if reference and "$" not in reference and reference not in every:
            yield Finding(
                f"its image {reference} is not in {subject.where}",
                subject.sockwake("images load", "ARCHIVE"),
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


def _require_project(subject: Baked, settings: Settings) -> None:
    paths = [f"{settings.project}/{name}" for name in DEFAULT_FILES]
    path = next((path for path in paths if subject.tree.has_file(path)), "")
    if not path:
        where = subject.tree.shown(settings.project)
        raise SockwakeError(f"its project is not there: {where} has no compose.yaml")
    _require_services(subject, path, "")


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


def _image_names(subject: Baked, place: str) -> Iterator[str]:
    """The names of the whole images in one of the places for them."""
    for digest in filter(names.is_hex, subject.tree.names(place)):
        path = f"{place}/{digest}"
        if subject.tree.has_file(f"{path}/config.json") and subject.tree.names(f"{path}/rootfs"):
            yield from notes.parse(subject.tree.text(f"{path}/notes.json")).names


def _image_of_compose(subject: Baked, instance: Instance, settings: Settings) -> str:
    said = subject.compose(instance)
    services = said.get("services") if isinstance(said, dict) else None
    if not isinstance(services, dict):
        return ""
    service = services.get(settings.service or next(iter(services), ""))
    return str(service.get("image") or "") if isinstance(service, dict) else ""
