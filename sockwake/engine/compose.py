"""compose: it makes containers, and never starts one.

compose.yaml is the administrator's. What sockwake needs of the service (a known name, a label that
tells of edits) is in a second file, in /run, that is laid over the first.
"""

import json
import os
from collections.abc import Sequence
from typing import Any

from sockwake.config import resolved, values
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.engine import belongings, images, process_one
from sockwake.engine.api import Engine
from sockwake.engine.compose_project import CREATE, made_by_compose, program
from sockwake.engine.container import CONFIG_LABEL
from sockwake.errors import USAGE, SockwakeError
from sockwake.system import process

# whatever compose.yaml says: only sockwake starts it, and its output comes in frames
_WOKEN: dict[str, object] = {
    "restart": "no",
    "deploy": {"restart_policy": {"condition": "none", "max_attempts": 0}},
    "tty": False,
}


class Project:
    """The compose project of one instance. data: the host directory that it mounts for its data."""

    def __init__(
        self, instance: Instance, settings: Settings, engine: Engine, data: str = ""
    ) -> None:
        self.instance = instance
        self.engine = engine
        self.settings = settings
        # as the machine will see it, whose tree this is
        self.environment = {
            "DOCKER_HOST": f"unix://{engine.path}",
            "SOCKWAKE_NAME": instance.name,
            "SOCKWAKE_ETC": instance.etc.removeprefix(instance.root),
            "SOCKWAKE_BACKEND": instance.backend.removeprefix(instance.root),
            "SOCKWAKE_DATA": (data or settings.data).removeprefix(instance.root),
        }

    def command(self, *arguments: str, overlay: str = "", project: str = "") -> list[str]:
        """The compose command line for this project.

        "./" in its files is the instance's final directory, even while `new` prepares another.
        """
        files = [self.instance.compose_file, *([overlay] if overlay else [])]
        return [
            *program(),
            *("--project-name", project or self.instance.container),
            *("--project-directory", Instance(self.instance.name).etc),
            *("--env-file", self.instance.env_file),
            *(word for file in files for word in ("--file", file)),
            *arguments,
        ]

    def config(self, patience: float = 0) -> dict[str, Any]:
        """What its files define, as `compose config` prints it; needs no engine.

        Nor compose, as long as the files are those that were baked into a tree.
        patience: seconds for compose, as long as a start may take if not given.
        """
        return resolved.config(self.instance, self.environment) or self._resolved(
            self.environment, patience
        )

    def resolve(self) -> dict[str, Any]:
        """What resolved.json is to keep of its files; raises SockwakeError."""
        return self._resolved(resolved.stand_ins(self.environment))

    def _resolved(self, environment: dict[str, str], patience: float = 0) -> dict[str, Any]:
        require_program(f"{self.instance.compose_file} has to be read anew")
        name = f"sockwake-{environment['SOCKWAKE_NAME']}"
        command = self.command("config", "--format", "json", project=name)
        # the files that compose reads are in the tree
        told = {**environment, "SOCKWAKE_ETC": self.instance.etc}
        config: dict[str, Any] = json.loads(self._run(command, patience, told))
        return config

    def require_free(self, config: dict[str, Any], *, is_new: bool) -> None:
        """Raise SockwakeError (exists) when a name of the project is taken."""
        networks, volumes = (
            [each["name"] for each in made_by_compose(config, what).values()]
            for what in ("networks", "volumes")
        )
        belongings.require_free(self.engine, self.instance, networks, volumes, is_new=is_new)

    def service(self, config: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """(name, definition) of the service that clients connect to."""
        services = config.get("services") or {}
        name = self.settings.service or next(iter(services), "")
        if name not in services or (len(services) > 1 and not self.settings.service):
            raise SockwakeError(
                f"{self.instance.compose_file} has {len(services)} services "
                "and SERVICE= names none of them",
                "say which by --service, or SERVICE= in instance.env",
            )
        return name, services[name]

    def variables(self, config: dict[str, Any]) -> dict[str, str]:
        """The variables of the service's container: the image's, with those of the files."""
        _, definition = self.service(config)
        image = str(definition.get("image") or "")
        images.bring(self.engine, image)
        theirs = definition.get("environment") or {}
        return images.environment(images.config(self.engine, image)) | {
            name: str(value or "").replace("$$", "$") for name, value in theirs.items()
        }

    def create(
        self, container: str, overlay: dict[str, object], arguments: Sequence[str] = ()
    ) -> None:
        """Make the container anew, without a registry; raises SockwakeError without its image.

        overlay: keys to lay over the service, beside the container's name. arguments: to append to
        its command.
        """
        config = self.config()
        service, definition = self.service(config)
        image = images.bring(self.engine, definition.get("image", ""))
        self.require_free(config, is_new=False)
        label = belongings.label(self.instance)
        around_it = _WOKEN | self._process_1(definition, image)
        around_it = _limited(around_it, self.settings)
        overlay = {"container_name": container, **around_it, "labels": label, **overlay}
        if arguments:  # an empty command would take the image's own away
            overlay["command"] = [*(definition.get("command") or []), *arguments]
        around = {
            section: {name: {"labels": label} for name in made}
            for section in ("networks", "volumes")
            if (made := made_by_compose(config, section))
        }
        path = f"{self.instance.run}/{container}.yaml"
        with open(path, "w", encoding="utf-8") as file:
            file.write(_overlay(service, overlay, around, alone=not self.settings.has_cluster))
        try:
            self._run(self.command(*CREATE, service, overlay=path, project=container))
        finally:
            os.unlink(path)

    def _process_1(self, definition: dict[str, Any], image: bytes) -> dict[str, object]:
        """What is laid over about process 1: an init where that may be, and a PostgreSQL itself.

        Only as process 1 a PostgreSQL gets its stop signal, whatever the engine's default is, and
        can be told from the one that initialises.
        """
        if not self.settings.has_cluster:
            may_be_init = process_one.may_be_init(self.engine, definition, image)
            return {"init": True} if may_be_init else {}
        if definition.get("init"):
            raise SockwakeError(
                "the server has to be the container's process 1",
                "compose.yaml must not say init: true",
            )
        return {"init": False}

    def create_everyday(self, made_of: str) -> None:
        """Make the container that every wake starts, labelled with a fingerprint of its files."""
        self.create(
            self.instance.container,
            {"labels": {CONFIG_LABEL: made_of, **belongings.label(self.instance)}},
        )

    def _run(
        self, command: list[str], patience: float = 0, environment: dict[str, str] | None = None
    ) -> str:
        try:
            return process.run(
                command,
                env=environment or self.environment,
                timeout=patience or max(self.settings.start_timeout, process.PATIENCE),
            )
        except process.Overdue as error:
            raise SockwakeError(
                f"{self.instance.compose_file}: {' '.join(program())} {error.waited}"
            ) from error
        except process.ProgramError as error:
            raise _failure(self.instance.compose_file, error) from error


def require_program(why: str) -> None:
    """Raise SockwakeError without compose; why: for what it is needed, as the error begins."""
    if not process.exists(program()[0]):
        raise SockwakeError(
            f"{why}, and docker-compose, which reads it, is not installed",
            "apt-get install docker-compose",
        )


def _limited(overlay: dict[str, object], settings: Settings) -> dict[str, object]:
    """overlay with the limits of instance.env, which count in place of those in compose.yaml.

    Each in both of the places that compose knows: it refuses a service in which they differ.
    """
    limits = settings.limits
    wanted: dict[str, object] = {}
    places: dict[str, object] = {}
    if limits.memory:
        wanted["memory"] = places["mem_limit"] = f"{limits.memory}"
        places["memswap_limit"] = f"{2 * limits.memory}"
    if limits.cpus:
        wanted["cpus"] = f"{limits.cpus / 100:g}"
        places["cpus"] = limits.cpus / 100
    if limits.pids:
        wanted["pids"] = places["pids_limit"] = limits.pids
    if not wanted:
        return overlay
    deploy = overlay.get("deploy")
    around = deploy if isinstance(deploy, dict) else {}
    return {**overlay, **places, "deploy": {**around, "resources": {"limits": wanted}}}


def published(path: str, service: str, port: int | None) -> tuple[str, str, int]:
    """(service, port in the container, port for clients) of the only published port of a file.

    service: the one to look at, "" for all; returned as "" when the file has only one. port: for
    clients, if the user asked for one. Raises SockwakeError when the file has not exactly one.
    """
    try:
        config = json.loads(process.run([*program(), "--file", path, "config", "--format", "json"]))
    except process.ProgramError as error:
        raise _failure(path, error) from error
    services = config.get("services") or {}
    if service and service not in services:
        raise SockwakeError(
            f"{path} has no service '{service}'", f"it has {', '.join(services) or 'none'}", USAGE
        )
    looked_at = [service] if service else services
    ports = [(name, each) for name in looked_at for each in services[name].get("ports") or ()]
    if len(ports) != 1:
        raise SockwakeError(
            f"{path} publishes {len(ports)} ports", "say which with --container-port", USAGE
        )
    ((found, only),) = ports
    outside = str(only.get("published", ""))
    return (
        found if len(services) > 1 else service,
        str(only["target"]),
        port or (values.port(outside) if outside.isdigit() else 0),
    )


def _failure(path: str, error: process.ProgramError) -> SockwakeError:
    return SockwakeError(
        f"{path}: {' '.join(program())} failed with status {error.returned}", said=error.said
    )


def _overlay(
    service: str, keys: dict[str, object], around: dict[str, dict[str, Any]], *, alone: bool
) -> str:
    """A compose file to lay over the administrator's: YAML with every value in JSON.

    keys: of the service. around: the sections beside "services:". alone: whether to take away the
    ports that the service publishes, which are the proxy's, and the services that it depends on,
    which compose would create and nothing would start or remove.
    """
    sections = [f"{section}: {json.dumps(value)}" for section, value in around.items()]
    values = [f"    {key}: {json.dumps(value)}" for key, value in keys.items()]
    lines = [*sections, "services:", f"  {json.dumps(service)}:", *values]
    if alone:
        lines += ["    depends_on: !reset []", "    ports: !reset []"]
    return "\n".join([*lines, ""])
