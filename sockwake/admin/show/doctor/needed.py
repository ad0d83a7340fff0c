"""Checks of what the next wake needs of this machine: a project, data, a program."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress

from sockwake.admin.show.doctor.finding import Finding, Patient, command
from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.engine import archives, compose_project, images, project_containers
from sockwake.engine.api import Engine, EngineError
from sockwake.engine.compose_project import ComposeProject
from sockwake.errors import SockwakeError, shown
from sockwake.kinds.table import HOST
from sockwake.lifecycle import first_wake
from sockwake.postgres import cluster, host_server
from sockwake.system import files

# the command behind its prefixes, and behind what runs it for sockwake
_EXEC = re.compile(
    r"^\s*ExecStart\s*=[@:+!|\s-]*(?:\S*/sockwake/(?:native|when-wanted)\s+)?"
    r"(\"?)(/[^\s\"%$\\]+)\1(?:\s|$)",
    re.MULTILINE,
)
_ELSEWHERE = re.compile(r"^\s*(Root|Mount|Extension|Bind|Temporary)\w*\s*=", re.MULTILINE)


def projects(patient: Patient) -> Iterator[Finding]:
    """A compose project that has gone, cannot be read, or lacks a service of a port."""
    for instance, settings in patient.valid():
        if not settings.is_project:
            continue
        edit = command("sockwake edit", instance.name)
        try:
            found = compose_project.read(instance.root + settings.project, settings.profiles)
        except SockwakeError as error:
            yield Finding(error.whole, error.hint or edit, instance.name)
            continue
        for service in sorted({each.service for each in settings.ports} - found.services.keys()):
            what = f"the project in {settings.project} has no service '{service}' any more"
            yield Finding(what, edit, instance.name)
        yield from _images_of(patient, instance, settings, found)


def _images_of(
    patient: Patient, instance: Instance, settings: Settings, project: ComposeProject
) -> Iterator[Finding]:
    """The images of a project whose containers have to be made anew, and that are not here."""
    engine = Engine.of(settings)
    if not patient.runs(engine):
        return
    with suppress(EngineError):  # the next question tells
        if project_containers.members(engine, instance):
            return
    for service in project.services.values():
        if archives.find(service.image):
            continue  # it is loaded by the wake
        try:
            images.require_image(engine, service.image)
        except SockwakeError as error:
            hint = error.hint
            if service.is_built:
                place = shown(project.directory)
                hint = f"{engine.program} compose --project-directory {place} build"
            yield Finding(error.message, hint, instance.name)


def data(patient: Patient) -> Iterator[Finding]:
    """Data that were made, and have gone, as on a disk that is not mounted."""
    for instance, settings in patient.valid():
        if settings.is_project or not settings.data or os.path.exists(instance.uninitialised_file):
            continue
        # a user's own are of a user namespace, which doctor does not enter
        with suppress(*([PermissionError] if scope.is_user() else [])):
            if not _has_data(settings) and not first_wake.is_in_memory(settings.data):
                place = settings.cluster if settings.has_cluster else settings.data
                yield Finding(
                    f"its data have gone: there is nothing in {place}",
                    f"findmnt --target {place}  # is its disk mounted?",
                    instance.name,
                )


def _has_data(settings: Settings) -> bool:
    if settings.has_cluster:
        return cluster.exists(settings)
    return os.path.isdir(settings.data) or not settings.is_container  # systemd makes a program's


def programs(patient: Patient) -> Iterator[Finding]:
    """A program of this host that has gone."""
    for instance, settings in patient.valid():
        if settings.runtime != HOST:
            continue
        if settings.has_cluster:
            try:
                host_server.require_installed(settings.major)
            except SockwakeError as error:
                yield Finding(error.message, error.hint, instance.name)
        elif (program := _program(instance)) and not os.access(program, os.X_OK):
            edit = command("sockwake edit --unit", instance.name)
            yield Finding(f"its program {program} has gone", edit, instance.name)


def _program(instance: Instance) -> str:
    """The path of what its service.conf has systemd run; "" where that may be seen elsewhere."""
    text = files.text_of(instance.service_file)
    found = _EXEC.findall(text)
    return instance.root + found[-1][1] if found and not _ELSEWHERE.search(text) else ""
