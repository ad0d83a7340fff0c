"""What a check finds, and what it looks at."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property

from sockwake.admin import inventory
from sockwake.admin.show.sight import Sight
from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings, load
from sockwake.engine import belongings, project_containers
from sockwake.engine.api import Engine, EngineError, socket_of
from sockwake.errors import SockwakeError
from sockwake.system import systemctl


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    what: the sentence. mend: the command that mends it. name: the instance, "" for the machine.
    fix: does what --fix may do by itself; None where an administrator has to decide.
    """

    what: str
    mend: str
    name: str = ""
    fix: Callable[[], object] | None = None


class Patient:
    """What is looked at: the machine, and instances. Each thing is read once.

    every: all instances there are. chosen: those that are meant. is_whole: whether they are all of
    them, and the machine is meant, too. root: a tree in place of the running system.
    """

    def __init__(
        self,
        chosen: Sequence[Instance],
        *,
        is_whole: bool,
        root: str = "",
        every: Sequence[Instance] | None = None,
    ) -> None:
        self.chosen = chosen
        self.is_whole = is_whole
        self.every = inventory.instances(root) if every is None else every
        self._root = root
        self._settings: dict[str, Settings | SockwakeError] = {}
        self._running: dict[str, bool] = {}

    def settings(self, instance: Instance) -> Settings | SockwakeError:
        """The settings of an instance, or why they cannot be read."""
        if instance.name not in self._settings:
            try:
                self._settings[instance.name] = self._load(instance)
            except SockwakeError as error:
                self._settings[instance.name] = error
        return self._settings[instance.name]

    def _load(self, instance: Instance) -> Settings:
        return load(instance)

    @cached_property
    def sight(self) -> Sight:
        """What one look sees of all instances."""
        return Sight(self.every, self._root)

    def valid(self) -> Iterator[tuple[Instance, Settings]]:
        """The chosen instances whose settings can be read."""
        for instance in self.chosen:
            settings = self.settings(instance)
            if isinstance(settings, Settings):
                yield instance, settings

    def engines(self) -> Iterator[Engine]:
        """The engines that run; one that only its socket would start is left alone."""
        units = ("docker", "podman")
        for path in sorted({socket_of(name) for name in units}):
            engine = Engine(path)
            if self.runs(engine):
                yield engine

    def runs(self, engine: Engine) -> bool:
        """Whether the engine itself runs, or its socket starts it for every request (podman)."""
        unit = "podman.socket" if engine.is_podman else "docker.service"
        if unit not in self._running:
            self._running[unit] = systemctl.active(unit).get(unit) == "active"
        return self._running[unit]

    @cached_property
    def containers(self) -> list[tuple[Engine, str, dict[str, object]]]:
        """(engine, name of the instance, what the engine knows) of each container that is ours."""
        found = []
        for engine in self.engines():
            with suppress(EngineError):
                for name, ids in belongings.every(engine).items():
                    found += [(engine, name, project_containers.inspect(engine, i)) for i in ids]
        return found


def command(program: str, *arguments: str) -> str:
    """A command line for an administrator, or a user with --user."""
    return scope.command(program, *arguments)


Check = Callable[[Patient], Iterable[Finding]]


@dataclass
class Found:
    """A finding with the name of its check. problem: why --fix has not mended it."""

    check: str
    finding: Finding
    fixed: bool = False
    problem: str = field(default="")

    def facts(self) -> dict[str, object]:
        """What --json says of it."""
        return {
            "check": self.check,
            "instance": self.finding.name or None,
            "finding": self.finding.what,
            "command": self.finding.mend,
            "fixable": self.finding.fix is not None,
            "fixed": self.fixed,
            "problem": self.problem or None,
        }
