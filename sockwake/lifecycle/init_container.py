"""The container that makes a cluster with the image's own entrypoint, in an engine or by crun."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.engine import belongings, users
from sockwake.engine.api import Engine
from sockwake.engine.compose import Project
from sockwake.engine.container import Container
from sockwake.lifecycle.attached import Started
from sockwake.oci import bundle
from sockwake.oci import container as crun_container
from sockwake.system import deletion

_ENTRYPOINT_TIMEOUT = 60  # seconds for the engine to start it
_CRUN_TIMEOUT = 30  # seconds for crun to do so
PASSWORD = "/run/sockwake-password"  # where its entrypoint finds the password


class InitContainer(Protocol):
    """The container of one instance that makes its cluster, and then goes."""

    def variables(self) -> dict[str, str]:
        """The variables that image and compose.yaml give it."""

    def create(self, data: str, environment: dict[str, str]) -> int:
        """Make it, with a directory for its data; returns the user it runs as, 0 for root."""

    def start(self) -> Started:
        """Start what create() has made."""

    def remove(self) -> None:
        """End and remove it, if there is one, also of a run that was killed."""


class InBundle:
    """The init container of an instance that crun wakes.

    initialising: makes the bundle of the entrypoint, of a directory for the data, of variables,
    and binds as (path of the host, path in the container). own: its variables without those.
    """

    def __init__(
        self,
        instance: Instance,
        own: dict[str, str],
        initialising: Callable[[str, dict[str, str], list[tuple[str, str]]], bundle.Bundle],
    ) -> None:
        self._instance = instance
        self._own = own
        self._initialising = initialising
        self._directory = f"{instance.run}/bundle"
        pid_file = f"{instance.run}/bundle.pid"
        argv = bundle.argv(
            instance, self._directory, instance.init_container, "--pid-file", pid_file
        )
        self._container = crun_container.Container(argv, pid_file, bundle.state(instance))

    def variables(self) -> dict[str, str]:
        return self._own

    def create(self, data: str, environment: dict[str, str]) -> int:
        binds = [(self._instance.password_copy, PASSWORD)]
        made = self._initialising(data, environment, binds)
        bundle.write_passing(self._directory, made)
        return int(made.spec["process"]["user"]["uid"])

    def start(self) -> Started:
        self._container.start(_CRUN_TIMEOUT)
        return self._container

    def remove(self) -> None:
        self._container.close()
        crun_container.end_left(self._instance)
        deletion.tree(self._directory, quietly=True)


class InEngine:
    """The init container of an instance that an engine wakes."""

    def __init__(self, instance: Instance, settings: Settings, engine: Engine) -> None:
        self._instance = instance
        self._settings = settings
        self._engine = engine
        self._container = Container(instance.init_container, engine)

    def variables(self) -> dict[str, str]:
        project = Project(self._instance, self._settings, self._engine)
        return project.variables(project.config())

    def create(self, data: str, environment: dict[str, str]) -> int:
        password = {
            "type": "bind",
            "source": self._instance.password_copy,
            "target": PASSWORD,
            "read_only": True,
        }
        # compose fills in variables
        escaped = {name: value.replace("$", "$$") for name, value in environment.items()}
        overlay: dict[str, object] = {"environment": escaped, "volumes": [password]}
        project = Project(self._instance, self._settings, self._engine, data)
        # the key is not in the cluster before there is one
        project.create(self._container.name, overlay, ["-c", "ssl=off"])
        return users.uid_of(self._engine, self._container.name)

    def start(self) -> Started:
        self._container.start(_ENTRYPOINT_TIMEOUT)
        return self._container

    def remove(self) -> None:
        self._container.close()
        belongings.remove_container(self._engine, self._instance, self._container.name)
