"""A compose project where it lies: what compose makes of its files, and what cannot sleep.

Nothing of it is copied. compose resolves `.env`, `env_file`, `extends`, `include`, overrides and
profiles; this module reads the result (`docker compose config`), and hands it back to compose with
what sockwake changes in it when containers are to be made.
"""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sockwake.config import scope
from sockwake.errors import USAGE, SockwakeError
from sockwake.system import process, safe_path

# https://docs.docker.com/compose/intro/compose-application-model/#the-compose-file
DEFAULT_FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
# for containers that a wake can start: it asks no registry and builds nothing
CREATE = ("create", "--force-recreate", "--no-build", "--pull=never")
_OR_A_COPY = ", or take a copy of it with --copy"
_UNSET = re.compile(r'The \\?"([^"\\]+)\\?" variable is not set')
_SECRET_KEYS = ("PASSWORD", "PASSWD", "SECRET", "TOKEN", "KEY")
_UNNAMED = "0"
_PLUGINS = tuple(  # where docker looks for them, beside its user's home
    f"/usr/{place}/docker/cli-plugins" for place in ("local/lib", "local/libexec", "lib", "libexec")
)
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
    """One service that the profiles enable. restart: whether an end by itself is not its last.

    is_built: compose builds its image, and no registry has it.
    """

    name: str
    image: str
    restart: str
    is_built: bool = False


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
        return {name: self._service(name, each) for name, each in self.definitions.items()}

    @property
    def ports(self) -> list[Port]:
        """Every TCP port that it publishes, in the order of its file."""
        return [
            _port(name, each)
            for name, definition in self.definitions.items()
            for each in definition.get("ports") or ()
            if each.get("protocol", "tcp") == "tcp"
        ]

    @property
    def definitions(self) -> dict[str, Definition]:
        """What the compose file says of each service that has a container."""
        every = self.config.get("services") or {}
        return {name: each for name, each in every.items() if replicas(each) != 0}

    def _service(self, name: str, definition: Definition) -> Service:
        is_built = bool(definition.get("build"))
        image = definition.get("image") or (f"{self.name}-{name}" if is_built else "")
        return Service(name, str(image), str(definition.get("restart") or "no"), is_built)

    def profiles_there_are(self) -> list[str]:
        """The profiles that its files know."""
        return process.run([*self.said_by_hand(), "config", "--profiles"], check=False).split()

    def said_by_hand(self, environment: dict[str, str] | None = None) -> list[str]:
        """The compose command line as its owner would type it in its directory."""
        return _command(self.directory, self.files, self.profiles, environment)

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
            if name not in labels:
                continue  # it has no container
            depends_on = (service.get("depends_on") or {}).items()  # also on what has a profile
            service["depends_on"] = {each: how for each, how in depends_on if each in services}
            service.pop("ports", None)
            service.pop("build", None)
            service["image"] = self.services[name].image
            service.pop("profiles", None)
            service["restart"] = "no"
            service.get("deploy", {}).pop("restart_policy", None)
            service["labels"] = {**(service.get("labels") or {}), **labels[""], **labels[name]}
        for what in ("networks", "volumes"):
            for name in made_by_compose(config, what):
                each = config[what][name]
                each["labels"] = {**(each.get("labels") or {}), **labels[""]}
        return json.dumps(config)

    def command(self, *arguments: str, definition: str) -> list[str]:
        """The compose command line for its containers. definition: its path."""
        return [
            *program(),
            *("--project-name", self.name),
            *("--project-directory", self.directory),
            *("--file", definition),
            *arguments,
        ]


def read(path: str, profiles: tuple[str, ...] = ()) -> ComposeProject:
    """The project in a directory, or of a file in it; raises SockwakeError in compose's words."""
    directory, files = _locate(path)
    text, warnings = _config(directory, files, profiles)
    unset = list(dict.fromkeys(_UNSET.findall(warnings)))
    return ComposeProject(directory, files, profiles, json.loads(text), unset)


def require_safe(directory: str, files: Sequence[str], *, is_copied: bool = False) -> None:
    """Raise SockwakeError when others than root can change the project: compose makes it as root.

    files: those that it is made of, whether they are there or not. is_copied: root is going to have
    a copy of the directory.
    """
    outside = [path for path in files if not safe_path.is_in(path, directory)]
    inside = [] if is_copied else [directory, *(path for path in files if path not in outside)]
    for paths, way_out in ((inside, _OR_A_COPY), (outside, "")):
        for path in filter(os.path.exists, paths):
            what = "the project's directory" if path == directory else "the project's file"
            try:
                safe_path.require_unwritable(path, what)
            except SockwakeError as error:
                hint = f"have only root write there{way_out}"
                raise SockwakeError(error.message, hint, error.status) from None


def name_of(directory: str) -> str:
    """The name that compose gives a project whose file has none: its directory's."""
    plain = re.sub(r"[^a-z0-9_-]", "", os.path.basename(directory).lower())
    return plain.lstrip("_-")


def program() -> list[str]:
    """compose, as Debian or as Docker packages it; raises NotInstalled where neither is there."""
    if process.exists("docker-compose"):
        return ["docker-compose"]
    places = (*_PLUGINS, os.path.expanduser("~/.docker/cli-plugins"))
    if any(os.path.exists(f"{place}/docker-compose") for place in places):
        return ["docker", "compose"]
    raise process.NotInstalled("docker-compose")


def by_hand(path: str, profiles: tuple[str, ...], environment: dict[str, str]) -> list[str]:
    """The compose command line for a project that need not be right, to be run in its directory."""
    directory, files = _locate(path)
    return ["env", f"--chdir={directory}", *_command(directory, files, profiles, environment)[1:]]


def _command(
    directory: str,
    files: tuple[str, ...],
    profiles: tuple[str, ...],
    environment: dict[str, str] | None = None,
) -> list[str]:
    """compose with the files and profiles of a project.

    In an environment of its own: a wake has none of the variables of an administrator's shell.
    """
    path = os.environ.get("PATH", os.defpath)
    argv = ["env", "-i", f"PATH={path}", "HOME=/root", "LC_ALL=C.UTF-8"]
    argv += [f"{name}={value}" for name, value in (environment or {}).items()]
    argv += program()
    argv += ["--project-directory", directory]
    argv += [word for file in files for word in ("--file", file)]
    return argv + [word for profile in profiles for word in ("--profile", profile)]


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
        raise SockwakeError(
            f"there is no compose project at {path}",
            f"{scope.command('sockwake rm')} after a move, and a new one with its new --compose",
            USAGE,
        )
    real = os.path.realpath(path)
    return os.path.dirname(real), (real,)


def _config(
    directory: str, files: tuple[str, ...], profiles: tuple[str, ...], *more: str
) -> tuple[str, str]:
    """(what compose makes of the files, as JSON; its warnings)."""
    warnings: list[str] = []
    argv = [*_command(directory, files, profiles), "config", "--format", "json", *more]
    try:
        return process.run(argv, cwd=directory, aside=warnings), warnings[0]
    except process.ProgramError as error:
        said = _without_warnings(error.said) or error.message
        raise SockwakeError(
            f"compose cannot read the project in {directory}: {said}", status=USAGE
        ) from None


def _without_warnings(said: str) -> str:
    """What a compose that failed said of its error, in one line."""
    lines = [line.strip() for line in said.splitlines() if "level=warning" not in line]
    return " ".join(line.removeprefix("Error: ") for line in lines if line)


def replicas(definition: Definition) -> int:
    """How many containers of a service compose makes."""
    said = (definition.get("deploy") or {}).get("replicas", definition.get("scale", 1))
    return int(1 if said is None else said)


def _port(service: str, definition: Definition) -> Port:
    published = str(definition.get("published") or _UNNAMED)
    address = str(definition.get("host_ip") or "")
    return Port(
        (address,) if address else _EVERYWHERE,
        int(published) if published.isdigit() else 0,
        service,
        int(definition["target"]),
    )


def made_by_compose(config: Definition, what: str) -> dict[str, Definition]:
    """The "networks" or "volumes" that compose makes when they are missing."""
    return {
        name: each
        for name, each in (config.get(what) or {}).items()
        if each and each.get("name") and not each.get("external")
    }


def _secret_place(raw: Any, variable: str, key: str = "") -> str:
    """The key of an image or a secret that the variable is in before interpolation; or ""."""
    if isinstance(raw, dict):
        return next(filter(None, (_secret_place(raw[name], variable, name) for name in raw)), "")
    if isinstance(raw, list):
        return next(filter(None, (_secret_place(each, variable, key) for each in raw)), "")
    matters = key == "image" or any(word in key.upper() for word in _SECRET_KEYS)
    is_used = re.search(rf"\$(?:\{{{variable}[}}:?+-]|{variable}\b)", str(raw))
    return key if matters and is_used else ""
