"""The files of an instance, and what is made of them, when another version is to be served."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping

from sockwake.admin.upkeep import newer_files
from sockwake.admin.upkeep.upgraded import Version
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings, load
from sockwake.engine.api import Engine
from sockwake.engine.compose import Project
from sockwake.errors import SockwakeError, reason
from sockwake.lifecycle import bundled, destination, runtime
from sockwake.oci import store
from sockwake.oci.command import plain
from sockwake.system import files, systemctl


def had(instance: Instance, settings: Settings) -> dict[str, str]:
    """The texts of the files that tell the version, by name; raises SockwakeError."""
    definition = instance.compose_file if settings.is_container else instance.service_file
    found = {}
    for path in (definition, instance.env_file):
        try:
            with open(path, encoding="utf-8", newline="") as file:
                found[os.path.basename(path)] = file.read()
        except (OSError, UnicodeDecodeError) as error:
            why = reason(error) if isinstance(error, OSError) else "it is not UTF-8"
            raise SockwakeError(f"cannot read {path}: {why}") from None
    return found


def texts(
    instance: Instance, settings: Settings, to: Version, before: Mapping[str, str]
) -> dict[str, str]:
    """The texts of before for another version; raises SockwakeError."""
    old, new = settings.major, to.major
    made = {}
    for name, text in before.items():
        path = f"{instance.etc}/{name}"
        if name == "instance.env":
            made[name] = newer_files.environment(text, to)
        elif settings.is_container:
            made[name] = newer_files.compose(text, path, old, new)
        else:
            made[name] = newer_files.service(text, path, settings.data, old, new)
    Settings(made["instance.env"], instance)
    return made


def arguments(instance: Instance, settings: Settings) -> list[str]:
    """The settings on the server's command line, as in "work_mem=7MB"; raises SockwakeError."""
    if settings.is_container:
        project = Project(instance, settings, Engine.of(settings))
        _, service = project.service(project.config())
        words = [str(each) for each in plain(service.get("command") or [])]
    else:
        lines = files.text_of(instance.service_file).splitlines()
        starts = [line.partition("=")[2] for line in lines if line.startswith("ExecStart=")]
        words = shlex.split((starts or [""])[-1].replace("%%", "%").replace("$$", "$"))
    found = []
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == "-c":
            found.append(following)
        elif (word.startswith("-c") and "=" in word) or (word.startswith("--") and "=" in word):
            found.append(word[2:])
    return found


def write(instance: Instance, made: Mapping[str, str]) -> None:
    """Write texts in place of the files that are there, instance.env last, with their modes."""
    for name in sorted(made, key=lambda each: each == "instance.env"):
        path = os.path.realpath(f"{instance.etc}/{name}")
        if files.text_of(path) != made[name]:
            files.replace(path, os.stat(path).st_mode & 0o777, made[name])


def make(instance: Instance, version: Version) -> None:
    """Have systemd read the files, and make what a wake needs; raises SockwakeError."""
    settings = load(instance)
    systemctl.reload()
    if not settings.is_container:
        return
    image = store.find(version.digest) if settings.is_bundled and version.digest else None
    if not image:
        destination.make(instance, settings)
        return
    runtime.make_directories(instance)
    lock = runtime.take_data(instance, settings.data)
    try:
        definition = bundled.Definition(instance, settings, image=image)
        bundled.make_what_is_missing(instance, settings, lambda _: None, definition=definition)
    finally:
        os.close(lock)
