"""From the files of an instance to a container that only has to be started."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.engine import belongings, images, resources, users
from sockwake.engine.api import Engine
from sockwake.engine.compose import Project
from sockwake.engine.container import Container
from sockwake.errors import SockwakeError, shown
from sockwake.lifecycle import first_wake, init_scripts, initdb, project, runtime
from sockwake.lifecycle.init_container import InEngine
from sockwake.lifecycle.needs_engine import EngineNeededError
from sockwake.lifecycle.readiness import await_ready
from sockwake.oci import bundle
from sockwake.postgres import adoption, cluster, initdb_arguments, tls
from sockwake.postgres.adoption import Mending
from sockwake.postgres.hba import Client
from sockwake.system import files, journal

_SERVER = "    command:\n      - postgres\n"  # as the template has it
_LATE_PORTS = 10  # seconds the other ports of a project get beside its first


def make_what_is_missing(
    instance: Instance,
    settings: Settings,
    container: Container,
    made_of: str,
    write: Callable[[bytes], object],
    tell: Callable[[str], object] = init_scripts.keep_quiet,
) -> bool:
    """Make the cluster if it was never made, and the container if the files have changed.

    Returns whether the container runs already: its watcher was killed.
    Raises SockwakeError when the cluster is missing though it once was made: that is a disk to
    mount, not a database to create.
    """
    if not settings.has_cluster:
        first_wake.end_of_making(instance, settings)
    elif os.path.exists(instance.uninitialised_file):
        init = InEngine(instance, settings, container.engine)
        initdb.initialise(instance, settings, init, write, tell)
    else:
        cluster.require_there(settings)
    found = container.search(made_of).result()
    if not found.is_current:
        Project(instance, settings, container.engine).create_everyday(made_of)
    return found.is_running


def make_for_wake(
    instance: Instance, settings: Settings, container: Container, made_of: str
) -> bool:
    """Do the same on the way of a wake, and remove the bundle that crun had before an edit.

    An edit back makes another, and ends the container first (lifecycle/former_engine.py).
    """
    is_running = make_what_is_missing(instance, settings, container, made_of, journal.write)
    bundle.remove(instance)
    return is_running


def make_anew(instance: Instance, settings: Settings, container: Container) -> None:
    """Make the container again, and with it the networks and volumes that it needs."""
    Project(instance, settings, container.engine).create_everyday(instance.fingerprint())


def provision(
    instance: Instance,
    settings: Settings,
    write: Callable[[bytes], object],
    mending: Mending | None = None,
    *,
    quiet: bool,
) -> float:
    """Make image, data and container, for which a first wake would have to wait, and try them out.

    mending: of a cluster that is adopted; the caller undoes it when anything fails.
    Returns how many seconds the start took; the container is stopped again. 0 where systemd tries
    it out.
    """
    if not settings.is_container:
        _provision_server(instance, settings, write, mending)
        return 0.0
    if settings.is_bundled:
        _provision_bundle(instance, settings, write, mending, quiet=quiet)
        return 0.0
    engine = Engine.of(settings)
    engine.call("GET", "/_ping")
    if settings.is_project:
        return _provision_project(instance, settings, engine, write, quiet=quiet)
    _provision_image(instance, settings, engine, quiet=quiet)
    with _data(instance, settings, mending):
        container = Container(instance.container, engine)
        made_of = instance.fingerprint()
        tell = init_scripts.keep_quiet if quiet else _tell
        is_running = make_what_is_missing(instance, settings, container, made_of, write, tell)
        if settings.has_cluster:
            runtime.lend_backend(instance, settings)
        if settings.tls:
            tls.place(instance, settings)
        return _try_out(instance, settings, container, is_running, write)


@contextmanager
def _data(instance: Instance, settings: Settings, mending: Mending | None) -> Iterator[None]:
    """Forget how the last wake ended, and hold the data, of which a cluster can be adopted."""
    runtime.prepare(instance)
    if settings.data and os.path.exists(instance.uninitialised_file):
        first_wake.require_mounted(settings.data)
    lock = runtime.take_data(instance, settings.data) if settings.data else -1
    try:
        if settings.has_cluster and not os.path.exists(instance.uninitialised_file):
            _require_adoptable(settings, mending)
        yield
    finally:
        if lock >= 0:
            os.close(lock)


def _provision_image(
    instance: Instance, settings: Settings, engine: Engine, *, quiet: bool
) -> None:
    """Have the engine get the image, when nothing is in the way of its container."""
    made_by_compose = Project(instance, settings, engine)
    config = made_by_compose.config()
    made_by_compose.require_free(config, is_new=True)
    if settings.has_cluster:
        users.require_unmapped(engine, made_by_compose.service(config)[1])
    if settings.data:
        belongings.require_unseen(engine, instance, settings.data)
    image = settings.image if settings.has_cluster else _image_of(made_by_compose, config)
    images.pull(engine, image, quiet=quiet)
    if settings.has_cluster:
        heed(instance, images.config(engine, image), made_by_compose.variables(config))


def heed(instance: Instance, image: dict[str, Any], variables: dict[str, str]) -> bool:
    """Heed what a derived image says of its server.

    image: its configuration. variables: of its containers. Its arguments are written into
    compose.yaml, whose command counts; returns whether there were any. Raises SockwakeError when
    those of initdb contradict ours.
    """
    if os.path.exists(instance.uninitialised_file):
        initdb_arguments.merged(variables)
    with open(instance.compose_file, encoding="utf-8") as file:
        text = file.read()
    arguments = images.server_arguments(image)
    lines = "".join(f"      - {json.dumps(each).replace('$', '$$')}\n" for each in arguments)
    is_news = bool(lines) and lines not in text
    if is_news:
        files.replace(instance.compose_file, 0o644, text.replace(_SERVER, _SERVER + lines, 1))
    return is_news


def _provision_bundle(
    instance: Instance,
    settings: Settings,
    write: Callable[[bytes], object],
    mending: Mending | None,
    *,
    quiet: bool,
) -> None:
    """Make image, data and bundle of an instance that crun wakes; systemd tries it out, later."""
    from sockwake.lifecycle import bundled

    if settings.data:
        resources.require_unseen(instance, settings.data)
    try:
        definition = bundled.Definition(instance, settings, may_pull=True, quiet=quiet)
    except EngineNeededError as error:
        raise EngineNeededError(error.why, "--runtime engine makes it all the same") from None
    if settings.has_cluster and heed(instance, definition.image.config, definition.variables()):
        definition = bundled.Definition(instance, settings)
    tell = init_scripts.keep_quiet if quiet else _tell
    with _data(instance, settings, mending):
        bundled.make_what_is_missing(instance, settings, write, tell, definition=definition)


def _provision_server(
    instance: Instance,
    settings: Settings,
    write: Callable[[bytes], object],
    mending: Mending | None,
) -> None:
    """Make the data of a PostgreSQL of the host; systemd tries it out, later."""
    from sockwake.lifecycle import hosted

    resources.require_unseen(instance, settings.data)
    with _data(instance, settings, mending):
        hosted.make_what_is_missing(instance, settings, write)


def _require_adoptable(settings: Settings, mending: Mending | None) -> None:
    """Raise SockwakeError unless the cluster can be adopted, after mending what was asked for."""
    cluster.check_adoptable(settings.cluster, settings.major)
    if mending:
        mending.mend()
    client = Client(settings.db_user, settings.db_name, settings.tls)
    adoption.require_login(settings.cluster, settings.major, client)


def _provision_project(
    instance: Instance,
    settings: Settings,
    engine: Engine,
    write: Callable[[bytes], object],
    *,
    quiet: bool,
) -> float:
    """Make and try out the containers of a compose project; returns how many seconds it took."""
    for image in project.images(settings):
        images.pull(engine, image, quiet=quiet)
    runtime.prepare(instance)
    services = project.make_anew(
        engine, instance, settings, lambda name, text: write(name.encode() + b": " + text)
    )
    began = time.monotonic()
    try:
        deadline = began + settings.start_timeout
        services.start(deadline)
        doors = project.Doors(services, settings, deadline)
        doors.await_first()
        took = time.monotonic() - began
        doors.await_all(_LATE_PORTS)
        for service, port in doors.closed:
            print(
                f"sockwake: warning: service '{service}' does not answer on port {port}: "
                "clients wait for START_TIMEOUT there, and are let go",
                file=sys.stderr,
            )
        return took
    finally:
        services.stop()


def _tell(sentence: str) -> None:
    print(f"sockwake: {shown(sentence)}", file=sys.stderr, flush=True)


def _image_of(project: Project, config: dict[str, Any]) -> str:
    """The image that compose.yaml names; a file of the user's may name another than IMAGE=."""
    _, definition = project.service(config)
    if not definition.get("image"):
        raise SockwakeError(
            f"{project.instance.compose_file} names no image", "build it, and name it with image:"
        )
    return str(definition["image"])


def _try_out(
    instance: Instance,
    settings: Settings,
    container: Container,
    is_running: bool,
    write: Callable[[bytes], object],
) -> float:
    """Start the container until it is ready, and stop it; the seconds until it was ready."""
    began = time.monotonic()
    try:
        container.start(settings.start_timeout, is_running=is_running, insist=settings.fast_stop)
        await_ready(container, instance, settings, write)
        took = time.monotonic() - began
        container.stop()
        if killed := runtime.note_stop(instance, container, time.monotonic() - began - took):
            print(f"sockwake: warning: its server {killed}", file=sys.stderr)
    except SockwakeError:
        container.give_up(write)
        raise
    return took
