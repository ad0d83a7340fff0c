"""Getting from the files of an instance to a container that only has to be started."""

import os
from collections.abc import Callable

from sockwake import cluster, programs, runtime, tls
from sockwake.compose import Project, require_image
from sockwake.container import Container
from sockwake.engine import Engine
from sockwake.errors import SockwakeError
from sockwake.instance import Instance, Settings
from sockwake.readiness import await_ready


def make_what_is_missing(
    instance: Instance, settings: Settings, container: Container, made_of: str, write: Callable[[bytes], object]
) -> None:
    """Make the cluster if it was never made, and the container if it is not made of the present files.

    Raises SockwakeError when the cluster is missing though it once was made: that is a disk to mount, not a
    database to create.
    """
    if os.path.exists(instance.uninitialised_file):
        cluster.initialise(instance, settings, container.engine, write)
    elif not cluster.exists(settings):
        raise SockwakeError(f"there is no database cluster in {settings.cluster}", "is its disk mounted?")
    if not container.is_current(made_of):
        Project(instance, settings, container.engine).create_everyday(made_of)


def provision(instance: Instance, settings: Settings, write: Callable[[bytes], object], *, quiet: bool) -> None:
    """Image, cluster, container: everything a first wake would otherwise have to wait for, and asleep again.

    An adopted cluster is started once, to see that it asks strangers for a password.
    """
    engine = Engine()
    engine.call("GET", "/_ping")
    pull(engine, settings.image, quiet=quiet)
    runtime.prepare(instance)
    runtime.make_data_directory(instance, settings.data)
    lock = runtime.lock_data(settings.data)
    try:
        adopted = not os.path.exists(instance.uninitialised_file)
        if adopted:
            cluster.check_adoptable(settings.cluster, settings.major)
        container = Container(instance.container, engine)
        made_of = instance.fingerprint()
        make_what_is_missing(instance, settings, container, made_of, write)
        if settings.tls:
            tls.place(instance, settings)
        if adopted:
            _try_out(instance, settings, container, write)
    finally:
        os.close(lock)


def pull(engine: Engine, image: str, *, quiet: bool) -> None:
    """Get the image if it is not here; the engine's own client shows the progress on stderr."""
    try:
        require_image(engine, image)
    except SockwakeError as missing:
        command = ["docker", f"--host=unix://{engine.path}", "pull", *(["--quiet"] if quiet else []), image]
        try:
            programs.run(command, show=not quiet)
        except programs.ProgramError as error:
            raise SockwakeError(
                f"image {image} is neither on this machine nor to be had{f': {error.said}' if error.said else ''}",
                "check --version and --image, or docker load an image",
            ) from missing


def _try_out(instance: Instance, settings: Settings, container: Container, write: Callable[[bytes], object]) -> None:
    try:
        container.start(settings.start_timeout)
        await_ready(container, instance, settings, write)
        container.stop()
    except SockwakeError:
        container.give_up()
        raise
