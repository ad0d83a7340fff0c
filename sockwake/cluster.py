"""Making a database cluster, or taking over one that is there."""

import os
import secrets
from collections.abc import Callable

from sockwake import belongings, deletion, files, runtime, tls, trust
from sockwake.compose import Project
from sockwake.container import Container
from sockwake.engine import Engine
from sockwake.errors import SockwakeError
from sockwake.instance import Instance
from sockwake.readiness import await_ready
from sockwake.settings import Settings, pgdata

STAGED, MADE = ".initialising", ".initialised"  # beside its place, before and after its server has proven itself
_KEPT_PASSWORD = "sockwake-password"
_PASSWORD_IN_CONTAINER = "/run/sockwake-password"
_ENTRYPOINT_TIMEOUT = 60  # seconds for the engine to start it
_ROOM = 200 << 20  # bytes; a new cluster takes 40 MB, its first WAL segments the rest


def exists(settings: Settings) -> bool:
    """Whether there is a cluster where the settings say."""
    return os.path.exists(f"{settings.cluster}/PG_VERSION")


def new_password() -> str:
    """A line of 192 random bits."""
    return secrets.token_urlsafe(24) + "\n"


def write_password(instance: Instance) -> None:
    """Make the password file unless there is one; 0600 from its first byte."""
    if not os.path.exists(instance.password_file):
        files.replace(instance.password_file, 0o600, new_password())


def keep_password(instance: Instance, data: str) -> bool:
    """Put the password beside the data, root's alone; False when the instance has none, or no cluster yet.

    The directory may belong to the container's user, so nothing in it is followed or written through.
    """
    try:
        with open(instance.password_file, encoding="utf-8") as file:
            password = file.read()
    except FileNotFoundError:
        return False
    if not password.strip() or os.path.exists(instance.uninitialised_file):
        return False
    files.replace(f"{data}/{_KEPT_PASSWORD}", 0o600, password)
    return True


def kept_password(data: str) -> str:
    """The password keep_password() left there, or ""."""
    try:
        line = files.read_plain(f"{data}/{_KEPT_PASSWORD}").partition("\n")[0].strip()
    except OSError:
        return ""
    return line if line.isprintable() else ""


def forget_password(data: str) -> None:
    """Remove what keep_password() left, now that an instance has it again."""
    runtime.remove(f"{data}/{_KEPT_PASSWORD}")


def check_adoptable(pgdata: str, major: int) -> None:
    """Raise SockwakeError unless the cluster that is there is of this version and not in use."""
    found = files.read_plain(f"{pgdata}/PG_VERSION").strip()
    if found != str(major):
        raise SockwakeError(
            f"{pgdata} is a cluster of PostgreSQL {found}, not {major}",
            f"--version {found} adopts it; pg_upgrade makes it {major}",
        )
    if os.path.exists(f"{pgdata}/postmaster.pid"):
        raise SockwakeError(
            f"{pgdata} has a postmaster.pid: a server is running on it, or did not stop cleanly",
            "stop that server first",
        )


def initialise(instance: Instance, settings: Settings, engine: Engine, write: Callable[[bytes], object]) -> None:
    """Make the cluster with the image's own entrypoint, in a container that is thrown away.

    The everyday container so never sees the password. The cluster is made beside its place and moved there
    when its server has proven itself and stopped cleanly; after an interruption at any point the next call
    goes on or starts over. Removes the instance's "uninitialised" mark last.
    """
    staged, made = f"{settings.data}/{STAGED}", f"{settings.data}/{MADE}"
    if not exists(settings) and not os.path.exists(made):
        trust.require_way(staged, "data directory")
        _require_room(settings.data)
        belongings.remove_container(engine, instance, instance.init_container)
        deletion.tree(staged, quietly=True)
        os.mkdir(staged, 0o711)
        write_password(instance)
        tls.make_missing(instance, settings)
        _run_entrypoint(instance, settings, engine, staged, write)
        if not os.path.exists(f"{pgdata(staged, settings.major)}/PG_VERSION"):
            raise SockwakeError(
                f"the image has made no cluster in {settings.cluster}",
                "does it keep the data where the official image does?",
            )
        os.rename(staged, made)
    if os.path.exists(made):
        _move_into_place(made, settings.data)
    runtime.remove(instance.uninitialised_file)
    if os.path.exists(made):  # until now it tells whose the cluster is (draft.delete_made_data)
        os.rmdir(made)


def _run_entrypoint(
    instance: Instance, settings: Settings, engine: Engine, data: str, write: Callable[[bytes], object]
) -> None:
    container = Container(instance.init_container, engine)
    overlay: dict[str, object] = {
        "environment": {
            "POSTGRES_DB": settings.db_name,
            "POSTGRES_INITDB_ARGS": "--auth-local=scram-sha-256 --auth-host=scram-sha-256 --data-checksums --encoding=UTF8",
            "POSTGRES_PASSWORD_FILE": _PASSWORD_IN_CONTAINER,
            "POSTGRES_USER": settings.db_user,
        },
        # the entrypoint reads it while it is still root, so that 0600 will do
        "volumes": [
            {"type": "bind", "source": instance.password_file, "target": _PASSWORD_IN_CONTAINER, "read_only": True}
        ],
    }
    try:
        # the key is not in the cluster before there is one
        Project(instance, settings, engine, data).create(container.name, overlay, ["-c", "ssl=off"])
        container.start(_ENTRYPOINT_TIMEOUT)
        await_ready(container, instance, settings, write)
        container.stop()
    finally:
        container.close()
        belongings.remove_container(engine, instance, container.name)


def _require_room(path: str) -> None:
    room = os.statvfs(path)
    free = room.f_bavail * room.f_frsize
    if free < _ROOM:
        raise SockwakeError(f"only {free >> 20} MB are free under {path}", f"a new cluster wants {_ROOM >> 20} MB")


def _move_into_place(made: str, data: str) -> None:
    """Move what is in made up into data, PG_VERSION last: a cluster without it does not count as one."""
    owner = os.stat(made)
    for entry in sorted(os.listdir(made), key=lambda name: (name == "PG_VERSION", name)):
        os.rename(f"{made}/{entry}", f"{data}/{entry}")
    if os.path.exists(f"{data}/PG_VERSION"):
        os.chown(data, owner.st_uid, owner.st_gid)
        os.chmod(data, owner.st_mode & 0o7777)
