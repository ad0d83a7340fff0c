"""A compose project where it lies: what compose makes of its files, and what cannot sleep.

Nothing of it is copied. compose resolves `.env`, `env_file`, `extends`, `include`, overrides and
profiles; this module reads the result (`docker compose config`), and hands it back to compose with
what sockwake changes in it when containers are to be made.
"""

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sockwake.config import values
from sockwake.errors import USAGE, SockwakeError
from sockwake.system import process, safe_path

# https://docs.docker.com/compose/intro/compose-application-model/#the-compose-file
DEFAULT_FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_UNSET = re.compile(r'The \\?"([^"\\]+)\\?" variable is not set')
_SECRET_KEYS = ("PASSWORD", "PASSWD", "SECRET", "TOKEN", "KEY")
_UNNAMED = "0"
_EVERYWHERE = ("0.0.0.0", "::")  # what compose takes when it is not told
Definition = dict[str, Any]


@dataclass(frozen=True)
class Port:
    """A TCP port that the project publishes: where clients come to, and where its server is.

    addresses, port: for clients. target: in the service's own network.
    """

    addresses: tuple[str, ...]
    port: int
    service: str
    target: int


@dataclass(frozen=True)
class Service:
    """One service that the profiles enable. restart: whether an end by itself is not its last."""

    name: str
    image: str
    restart: str


@dataclass
class ComposeProject:
    """What compose makes of a project's files. unset: variables that are used and not set."""

    directory: str
    files: tuple[str, ...]
    profiles: tuple[str, ...]
    config: Definition
    unset: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return str(self.config["name"])

    @property
    def services(self) -> dict[str, Service]:
        return {name: _service(name, each) for name, each in self._definitions.items()}

    @property
    def ports(self) -> list[Port]:
        """Every TCP port that it publishes, in the order of its file."""
        return [
            _port(name, each)
            for name, definition in self._definitions.items()
            for each in definition.get("ports") or ()
            if each.get("protocol", "tcp") == "tcp"
        ]

    @property
    def _definitions(self) -> dict[str, Definition]:
        return self.config.get("services") or {}

    def volumes(self) -> list[str]:
        """The names of the volumes that compose makes for it when they are missing."""
        return [each["name"] for each in _made_by_compose(self.config, "volumes").values()]

    def require_possible(self) -> None:
        """Raise SockwakeError (usage), with the way out, for what cannot be put to sleep."""
        if not self._definitions:
            known = _all_profiles(self)
            raise SockwakeError(
                f"the project in {self.directory} has no service"
                + (" without a profile" if known else ""),
                f"--profile {known[0]}" if known else "",
                USAGE,
            )
        for name, definition in self._definitions.items():
            _require_service(self.directory, name, definition)
        if not self.ports:
            raise SockwakeError(
                f"the project in {self.directory} publishes no TCP port, so no client can wake it",
                "publish one in the compose file, as in ports: ['127.0.0.1:8080:80']"
                + _only_udp(self._definitions),
                USAGE,
            )

    def require_set(self) -> None:
        """Raise SockwakeError for a variable that is not set and makes an image or a secret."""
        if not self.unset:
            return
        raw = json.loads(_config(self.directory, self.files, self.profiles, "--no-interpolate")[0])
        for variable in self.unset:
            if place := _secret_place(raw, variable):
                raise SockwakeError(
                    f"variable {variable} is not set, and '{place}' in {self.directory} needs it",
                    f"set it in {self.directory}/.env",
                    USAGE,
                )

    def definition(self, labels: dict[str, dict[str, str]]) -> str:
        """A compose file, in JSON, of which compose makes the containers that a wake starts.

        No port is published: sockwake has them. Nothing but a wake starts a container.
        labels: by service; those of "" are for all, and for networks and volumes.
        """
        config: Definition = json.loads(json.dumps(self.config))
        services: Definition = config.get("services") or {}
        for name, service in services.items():
            depends_on = (service.get("depends_on") or {}).items()  # also on what has a profile
            service["depends_on"] = {each: how for each, how in depends_on if each in services}
            service.pop("ports", None)
            service.pop("build", None)
            service.pop("profiles", None)
            service["restart"] = "no"
            service.get("deploy", {}).pop("restart_policy", None)
            service["labels"] = {**(service.get("labels") or {}), **labels[""], **labels[name]}
        for what in ("networks", "volumes"):
            for name in _made_by_compose(config, what):
                each = config[what][name]
                each["labels"] = {**(each.get("labels") or {}), **labels[""]}
        return json.dumps(config)

    def command(self, *arguments: str, definition: str) -> list[str]:
        """The compose command line for its containers. definition: the path of what definition() said."""
        return [
            *program(),
            *("--project-name", self.name),
            *("--project-directory", self.directory),
            *("--file", definition),
            *arguments,
        ]


def read(path: str, profiles: tuple[str, ...] = ()) -> ComposeProject:
    """The project in a directory, or of a file in it; raises SockwakeError with compose's own words."""
    directory, files = _locate(path)
    text, warnings = _config(directory, files, profiles)
    unset = list(dict.fromkeys(_UNSET.findall(warnings)))
    return ComposeProject(directory, files, profiles, json.loads(text), unset)


def require_safe(directory: str, files: Iterable[str]) -> None:
    """Raise SockwakeError when others than root can change the project: compose makes it as root.

    files: those that it is made of, whether they are there or not.
    """
    try:
        safe_path.require_unwritable(directory, "the project's directory")
        for path in filter(os.path.exists, files):
            safe_path.require_unwritable(path, "the project's file")
    except SockwakeError as error:
        way_out = "have only root write there, or take a copy of it with --copy"
        raise SockwakeError(error.message, way_out, error.status) from None


def program() -> list[str]:
    """compose, as Debian or as Docker packages it."""
    return ["docker-compose"] if process.exists("docker-compose") else ["docker", "compose"]


def _locate(path: str) -> tuple[str, tuple[str, ...]]:
    """(directory, files) of a project; no files where compose finds them itself."""
    if os.path.isdir(path):
        directory = os.path.realpath(path)
        found = [name for name in DEFAULT_FILES if os.path.exists(f"{directory}/{name}")]
        if not found and not os.path.exists(f"{directory}/.env"):  # which may say COMPOSE_FILE=
            raise SockwakeError(
                f"there is no compose file in {directory}", f"name it {DEFAULT_FILES[0]}", USAGE
            )
        return directory, ()
    if not os.path.exists(path):
        raise SockwakeError(f"there is no {path}", status=USAGE)
    real = os.path.realpath(path)
    return os.path.dirname(real), (real,)


def _config(
    directory: str, files: tuple[str, ...], profiles: tuple[str, ...], *more: str
) -> tuple[str, str]:
    """(what compose makes of the files, as JSON; its warnings)."""
    argv = [*program(), "--project-directory", directory]
    argv += [word for file in files for word in ("--file", file)]
    argv += [word for profile in profiles for word in ("--profile", profile)]
    warnings: list[str] = []
    try:
        argv += ["config", "--format", "json", *more]
        return process.run(argv, cwd=directory, aside=warnings), warnings[0]
    except process.ProgramError as error:
        raise SockwakeError(
            f"compose cannot read the project in {directory}: {error.said or error.message}",
            status=USAGE,
        ) from None


def _service(name: str, definition: Definition) -> Service:
    return Service(name, str(definition.get("image") or ""), str(definition.get("restart") or "no"))


def _port(service: str, definition: Definition) -> Port:
    published = str(definition.get("published") or _UNNAMED)
    address = str(definition.get("host_ip") or "")
    return Port(
        (address,) if address else _EVERYWHERE,
        int(published) if published.isdigit() else 0,
        service,
        int(definition["target"]),
    )


def _require_service(directory: str, name: str, definition: Definition) -> None:
    """Raise SockwakeError for a service that cannot be woken as compose would start it."""
    where = f"service '{name}' of the project in {directory}"
    replicas = (definition.get("deploy") or {}).get("replicas", definition.get("scale", 1))
    if replicas not in (0, 1):
        raise SockwakeError(
            f"{where} has {replicas} replicas", "one port wakes one: set it to 1", USAGE
        )
    if definition.get("ports") and str(definition.get("network_mode", "")).startswith("service:"):
        raise SockwakeError(
            f"{where} publishes a port in the network of another service",
            "publish it in that service, whose network it is",
            USAGE,
        )
    if not definition.get("image"):
        raise SockwakeError(
            f"{where} names no image: a wake never builds",
            f"docker compose build, and name it with image: in the service '{name}'",
            USAGE,
        )
    for port in definition.get("ports") or ():
        published = str(port.get("published") or _UNNAMED)
        if not published.isdigit() or int(published) == 0:
            raise SockwakeError(
                f"{where} publishes port {port['target']} at no one port of the host",
                f"give it one, as in '8080:{port['target']}'",
                USAGE,
            )
        values.port(published)


def _only_udp(definitions: dict[str, Definition]) -> str:
    has_udp = any(
        port.get("protocol") == "udp"
        for definition in definitions.values()
        for port in definition.get("ports") or ()
    )
    return "; a UDP packet cannot wake anything" if has_udp else ""


def _all_profiles(project: ComposeProject) -> list[str]:
    """The profiles that its files know."""
    argv = [*program(), "--project-directory", project.directory]
    argv += [word for file in project.files for word in ("--file", file)]
    return process.run([*argv, "config", "--profiles"], check=False).split()


def _made_by_compose(config: Definition, what: str) -> dict[str, Definition]:
    """The "networks" or "volumes" that compose makes when they are missing."""
    return {
        name: each
        for name, each in (config.get(what) or {}).items()
        if each and each.get("name") and not each.get("external")
    }


def _secret_place(raw: Any, variable: str, key: str = "") -> str:
    """The key whose value, before interpolation, has the variable in an image or a secret; or ""."""
    if isinstance(raw, dict):
        return next(filter(None, (_secret_place(raw[name], variable, name) for name in raw)), "")
    if isinstance(raw, list):
        return next(filter(None, (_secret_place(each, variable, key) for each in raw)), "")
    matters = key == "image" or any(word in key.upper() for word in _SECRET_KEYS)
    is_used = re.search(rf"\$(?:\{{{variable}[}}:?+-]|{variable}\b)", str(raw))
    return key if matters and is_used else ""
