"""Making a database cluster, with the image's own init_scripts."""

import os
import shutil
from collections.abc import Callable

from sockwake.config.instance import Instance
from sockwake.config.settings import Settings, pgdata
from sockwake.errors import SockwakeError
from sockwake.lifecycle import first_wake, init_scripts
from sockwake.lifecycle.init_container import PASSWORD, InitContainer
from sockwake.lifecycle.readiness import await_postgres, relaying
from sockwake.postgres import cluster, initdb_arguments, password, tls
from sockwake.postgres.cluster import MADE, STAGED
from sockwake.system import deletion, files, safe_path

# each can come from NAME_FILE, too, and the entrypoint refuses both
_TOLD = ("POSTGRES_DB", "POSTGRES_INITDB_ARGS", "POSTGRES_PASSWORD", "POSTGRES_USER")
_ROOM = 200 << 20  # bytes; a new cluster takes 40 MB, its first WAL segments the rest


def initialise(
    instance: Instance,
    settings: Settings,
    init: InitContainer,
    write: Callable[[bytes], object],
    tell: Callable[[str], object] = init_scripts.keep_quiet,
) -> None:
    """Make the cluster with the image's own entrypoint, in a container that is thrown away.

    The everyday container so never sees the password. The cluster is moved to its place when its
    server has proven itself and stopped cleanly.
    tell: gets a sentence now and then, when the image's own scripts take long.
    """

    def make(staged: str) -> None:
        _run_entrypoint(instance, settings, init, staged, write, tell)
        if not os.path.exists(f"{pgdata(staged, settings.major)}/PG_VERSION"):
            raise SockwakeError(
                f"the image has made no cluster in {settings.cluster}",
                "does it keep the data where the official image does?",
            )

    make_whole(instance, settings, init.remove, make)


def make_whole(
    instance: Instance, settings: Settings, end: Callable[[], object], make: Callable[[str], object]
) -> None:
    """Have make() make the cluster in a directory beside its place, and move it there when it has.

    After an interruption at any point the next call goes on or starts over. Removes the instance's
    "uninitialised" mark last. end: ends what a call that was killed has left running.
    """
    staged, made = f"{settings.data}/{STAGED}", f"{settings.data}/{MADE}"
    if not cluster.exists(settings) and not os.path.exists(made):
        safe_path.require_safe(staged, "data directory")
        _require_room(settings.data)
        end()
        deletion.tree(staged, quietly=True)
        os.mkdir(staged, 0o711)
        password.make(instance)
        tls.make_missing(instance, settings)
        make(staged)
        os.rename(staged, made)
    if os.path.exists(made):
        _move_into_place(made, settings.data)
    elif os.path.exists(instance.uninitialised_file):  # from a boot that /etc knows nothing of
        password.find_again(instance, settings.data)
        tls.make_missing(instance, settings)
    first_wake.end_of_making(instance, settings)
    if os.path.exists(made):  # until now it told whose the cluster is (draft.delete_made_data)
        os.rmdir(made)


def _run_entrypoint(
    instance: Instance,
    settings: Settings,
    init: InitContainer,
    data: str,
    write: Callable[[bytes], object],
    tell: Callable[[str], object],
) -> None:
    """Run the entrypoint of the image on the empty directory data, until its server is ready."""
    environment = dict.fromkeys([*_TOLD, *(f"{name}_FILE" for name in _TOLD)], "") | {
        "POSTGRES_DB": settings.db_name,
        "POSTGRES_INITDB_ARGS": initdb_arguments.merged(init.variables()),
        "POSTGRES_PASSWORD_FILE": PASSWORD,
        "POSTGRES_USER": settings.db_user,
    }
    shutil.copy(instance.password_file, instance.password_copy)  # with its mode 0600
    try:
        if user := init.create(data, environment):  # root takes what it needs by itself
            for path in (data, instance.backend, instance.password_copy):
                os.chown(path, user, -1)
        container = init.start()
        init_scripts.await_server(container, data, settings.start_timeout, write, tell)
        await_postgres(instance, settings, relaying(container, write))
        container.stop()
    finally:
        files.remove(instance.password_copy)
        init.remove()


def _require_room(path: str) -> None:
    """Raise SockwakeError when the file system of path has no room for a new cluster."""
    free = files.free_room(path)
    if free < _ROOM:
        raise SockwakeError(
            f"only {free >> 20} MB are free under {path}", f"a new cluster wants {_ROOM >> 20} MB"
        )


def _move_into_place(made: str, data: str) -> None:
    """Move what is in made up into data; PG_VERSION, without which it is no cluster, last."""
    owner = os.stat(made)
    for entry in sorted(os.listdir(made), key=lambda name: (name == "PG_VERSION", name)):
        os.rename(f"{made}/{entry}", f"{data}/{entry}")
    if os.path.exists(f"{data}/PG_VERSION"):
        os.chown(data, owner.st_uid, owner.st_gid)
        os.chmod(data, owner.st_mode & 0o7777)
