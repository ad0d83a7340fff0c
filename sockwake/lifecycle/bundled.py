"""From the files of an instance to a bundle that crun only has to run, and the data it serves."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Mapping
from typing import Any

from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.engine.api import Engine
from sockwake.engine.compose import Project
from sockwake.engine.process_one import takes_init
from sockwake.errors import SockwakeError
from sockwake.lifecycle import (
    first_wake,
    image_source,
    init_scripts,
    initdb,
    needs_engine,
    proxy_netns,
)
from sockwake.lifecycle.init_container import InBundle
from sockwake.oci import bundle, layers, pins, spec, store
from sockwake.oci.bundle import Bundle
from sockwake.oci.store import Image
from sockwake.oci.unit import EVERY_UNIT
from sockwake.postgres import cluster, tls
from sockwake.system import files, systemctl

# those of runtimes/crun/pg-postgres@.service.conf, which serve what sockwake-new writes
_STOP_SIGNAL, _GRACE = "SIGINT", 300  # seconds
_LEAST_GRACE = 0.1  # seconds; for timeout(1) 0 is none
_LONGER_THAN_GRACE = 30  # seconds until systemd ends what bin/end could not


class Definition:
    """What compose.yaml says of the server, and the image it says it of.

    made_of: the texts of the files that it was read from. image: instead of the one that the
    instance has, or compose.yaml names.
    """

    def __init__(
        self,
        instance: Instance,
        settings: Settings,
        *,
        may_pull: bool = False,
        quiet: bool = True,
        image: Image | None = None,
    ) -> None:
        self.made_of = bundle.sources(instance)
        self._instance = instance
        self._settings = settings
        self._project = Project(instance, settings, Engine.of(settings))
        _, self.service = self._project.service(self._project.config())
        self._require_possible({})  # an image that is not needed is not taken
        self.image: Image = image or image_source.obtain(
            instance, settings, self.reference, may_pull=may_pull, quiet=quiet
        )
        self._require_possible(self.image.config)
        if not settings.has_cluster and spec.init_program():
            self.service |= {"init": True} if takes_init(self.service, self.image.config) else {}

    def _require_possible(self, image: dict[str, Any]) -> None:
        """Raise SockwakeError when its container needs an engine."""
        root = self._instance.root
        if why := needs_engine.by_service(self._settings, self.service, image, root=root):
            raise needs_engine.EngineNeededError(
                why, scope.command("sockwake runtime", self._instance.name, "engine")
            )

    @property
    def reference(self) -> str:
        """The image's name in compose.yaml."""
        image = str(self.service.get("image") or "")
        if not image:
            raise SockwakeError(
                f"{self._instance.compose_file} names no image", "build it, and name it with image:"
            )
        return image

    def variables(self) -> dict[str, str]:
        """The variables that image and compose.yaml give its processes."""
        return spec.variables_of(self.service, self.image.config)

    def initialising(
        self, data: str, environment: dict[str, str], binds: list[tuple[str, str]]
    ) -> Bundle:
        """The bundle, to be used once, of the container that makes the cluster in a directory."""
        project = Project(self._instance, self._settings, Engine.of(self._settings), data)
        _, service = project.service(project.config())
        if self._settings.tls:  # the key is not in the cluster before there is one
            service["command"] = [*(service.get("command") or ["postgres"]), "-c", "ssl=off"]
        # outside the unit, which limits devices, none is to be made
        service["cap_drop"] = [*(service.get("cap_drop") or []), "MKNOD"]
        name = self._instance.name
        container = spec.initialising(
            service,
            self.image.config,
            self.image.rootfs,
            name=name,
            environment=environment,
            binds=binds,
        )
        return Bundle(container, spec.etc_files(service, name))

    def everyday(self) -> Bundle:
        """The bundle that every wake runs: of the server on its cluster, or of any container."""
        return self._server() if self._settings.has_cluster else self._container()

    def _container(self) -> Bundle:
        """Of a container that is none of a PostgreSQL; makes what it writes to."""
        instance, settings = self._instance, self._settings
        service, image = self.service, self.image
        kept = spec.unmounted(service, image.config)
        made = spec.container(
            service,
            image.config,
            image.rootfs,
            name=instance.name,
            root=image.rootfs,
            network=instance.netns if settings.backend_port else "",
            volumes=layers.volumes(instance, image.rootfs, kept),
        )
        grace = f"{max(spec.stop_grace(service), _LEAST_GRACE):.1f}".removesuffix(".0")
        more = {"grace": f"{grace}\n"}
        if spec.needs_layer(service, made, image.rootfs):
            layer = layers.new(instance, image.rootfs)
            made["root"]["path"] = f"{layer}/root"
            more["root"] = f"{layer}\n{image.rootfs}\n"
        test, timeout = spec.healthcheck(service, image.config)
        if test:
            more["health"] = f"{timeout:g}\n"
            more["health.json"] = json.dumps({**made["process"], "args": test})
        if service["network_mode"] == "host":
            more["host-network"] = ""
        lock = settings.data or bundle.path(instance)
        return Bundle(
            made,
            spec.etc_files(service, instance.name),
            image=image.digest,
            reference=self.reference,
            lock=lock,
            proof=lock,
            before=self._before(),
            more=more,
        )

    def _server(self) -> Bundle:
        name, settings = self._instance.name, self._settings
        proof = f"{settings.cluster}/PG_VERSION"
        owner = os.stat(proof)
        container = spec.everyday(
            self.service,
            self.image.config,
            self.image.rootfs,
            name=name,
            owner=(owner.st_uid, owner.st_gid),
            network=self._instance.netns if settings.backend_port else "",
        )
        return Bundle(
            container,
            spec.etc_files(self.service, name),
            image=self.image.digest,
            reference=self.reference,
            lock=settings.data,
            proof=proof,
            before=self._before(),
        )

    def _before(self) -> str:
        """The image that an update has replaced: another than this one, as long as it is here."""
        had = bundle.image_of(self._instance)
        if had == self.image.digest:
            return bundle.image_before(self._instance)
        return had if bundle.reference_of(self._instance) == self.reference else ""

    def unit(self) -> dict[str, str]:
        """The settings of the unit in which it runs."""
        made = {
            name: value
            for name, value in spec.limits(self.service).items()
            if name not in EVERY_UNIT
        }
        if (signal := spec.stop_signal(self.service, self.image.config)) != _STOP_SIGNAL:
            made["KillSignal"] = signal
        grace = spec.stop_grace(self.service)
        if not self._settings.has_cluster:
            made["TimeoutStopSec"] = f"{grace + _LONGER_THAN_GRACE:g}"
        elif grace != _GRACE:
            made["TimeoutStopSec"] = f"{grace:g}"
        return made


def make_what_is_missing(
    instance: Instance,
    settings: Settings,
    relay: Callable[[bytes], object],
    tell: Callable[[str], object] = init_scripts.keep_quiet,
    *,
    definition: Definition | None = None,
) -> None:
    """Make the cluster if it was never made, and bundle and certificate if the files have changed.

    Of a container that is no PostgreSQL only the bundle is made.
    relay: gets what the container that makes the cluster writes. definition: when it has been read
    already. Raises SockwakeError when the cluster is missing though it once was made: that is a
    disk to mount, not a database to create.
    """
    if not settings.has_cluster:
        first_wake.end_of_making(instance, settings)
    is_new = os.path.exists(instance.uninitialised_file)
    if settings.has_cluster and not is_new:
        cluster.require_there(settings)
    # crun would make its own mount of it writable
    place = settings.data or bundle.path(instance)  # what bin/container locks
    if os.path.lexists(place) and not os.access(place, os.W_OK):
        raise SockwakeError(
            f"{'data directory ' if settings.data else ''}{place} cannot be written to",
            "is its disk mounted read-only?",
            said=os.strerror(errno.EROFS),
        )
    if is_new or not bundle.is_current(instance):
        definition = definition or Definition(instance, settings)
        if is_new:
            init = InBundle(instance, definition.variables(), definition.initialising)
            initdb.initialise(instance, settings, init, relay, tell)
        write(instance, definition)
    if settings.tls:
        tls.place(instance, settings)


def require_network(instance: Instance) -> None:
    """Raise SockwakeError when the proxy is in another network than the bundle has by now.

    bin/container has led it there before the bundle was made.
    """
    if proxy_netns.is_proxys(instance) and (
        proxy_netns.is_host_s(instance) != bundle.is_on_host_network(instance)
    ):
        raise SockwakeError("its network was changed", "its next client wakes it in the new one")


def write(
    instance: Instance, definition: Definition, *, more: Mapping[str, str] | None = None
) -> None:
    """Write the bundle and the settings of its unit; its cluster is there.

    more: texts of other files in the bundle, by name.
    """
    write_unit(instance, definition.unit())
    made = definition.everyday()
    made.more |= more or {}
    with pins.unchanged(instance.root):
        if not store.find(made.image, instance.root):
            raise SockwakeError(
                f"image {made.reference} was removed meanwhile",
                scope.command("sockwake images pull", made.reference),
            )
        bundle.write(instance, made, definition.made_of)


def write_unit(instance: Instance, settings: dict[str, str]) -> None:
    """Write what compose.yaml has systemd do, and have systemd read it."""
    lines = [f"{name}={value}\n" for name, value in settings.items()]
    text = "".join([_UNIT.format(name=instance.name), *lines]) if lines else ""
    if files.text_of(instance.unit_file) == text:
        return
    if text:
        files.replace(instance.unit_file, 0o644, text)
    else:
        files.remove(instance.unit_file)
    is_draft = instance.etc != Instance(instance.name, instance.root).etc
    if not is_draft and not instance.root and systemctl.is_running():
        systemctl.reload()


_UNIT = """\
# Limits of the container and its stop signal: a drop-in of pg-postgres@{name}.service.
# Made of compose.yaml by sockwake, which makes it anew when that is edited.
[Service]
"""
