"""A new password for the superuser of a cluster that no client can reach yet, by its own psql."""

import os

from sockwake.clients import connections
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.engine.api import Engine
from sockwake.errors import SockwakeError
from sockwake.lifecycle import runtime
from sockwake.oci import bundle
from sockwake.postgres import host_server, scram
from sockwake.postgres import password as passwords
from sockwake.system import files, process, systemctl

_PASSFILE = ".pgpass"  # beside the server's socket
_INSIDE = "/var/run/postgresql"  # where the container has that directory
_WHEN_READY = 'test -e "$0" && sql=$1 && shift && exec "$@" <"$sql"'


def rotate(instance: Instance, settings: Settings, old: str, new: str) -> None:
    """Start the server, change the password, stop it again; raises SockwakeError.

    Its socket is not open: nobody else can connect. That is a trial of the instance, too.
    """
    import tempfile

    runtime.make_directories(instance)
    owner = os.stat(f"{settings.cluster}/PG_VERSION")
    with tempfile.TemporaryDirectory() as work:
        sql = f"{work}/sql"
        files.write_new(sql, 0o600, f"{scram.statement(new)};\n")
        files.replace_volatile(instance.trial_file, "")
        try:
            _write_passfile(instance, settings, old, owner)
            argv = _psql(instance, settings, f"{owner.st_uid}:{owner.st_gid}")
            when_ready = ["sh", "-c", _WHEN_READY, instance.ready_file, sql, *argv]
            holder = ["flock", instance.wake_lock, *when_ready]
            systemctl.hold(instance.backend_unit, *holder, seconds=2 * settings.start_timeout)
        except process.ProgramError:
            raise SockwakeError(
                f"the superuser's password could not be changed in '{instance.name}'",
                "is the one in the password file of the original right? journalctl says what "
                "PostgreSQL said; --keep-password leaves it",
            ) from None
        finally:
            files.remove(instance.trial_file)
            files.remove(f"{instance.backend}/{_PASSFILE}")
            if not connections.connected(settings):
                systemctl.stop(instance.backend_unit)


def _write_passfile(
    instance: Instance, settings: Settings, password: str, owner: os.stat_result
) -> None:
    """Write what psql reads the password from; only its user can."""
    path = f"{instance.backend}/{_PASSFILE}"
    files.remove(path)
    uid = owner.st_uid if settings.is_container else -1
    files.write_new(path, 0o600, passwords.libpq_line("*", "*", "*", "*", password), uid)


def _psql(instance: Instance, settings: Settings, user: str) -> list[str]:
    """The command that runs SQL from its stdin in the server's own surroundings."""
    place = _INSIDE if settings.is_container else instance.backend
    passfile = f"PGPASSFILE={place}/{_PASSFILE}"
    words = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--no-password"]
    words += [f"--host={place}", f"--username={settings.db_user}", f"--dbname={settings.db_name}"]
    if settings.is_bundled:
        # with --env it gives no variable of the container's own
        variables = ["--env", passfile, "--env", f"PATH={_path(settings)}"]
        into = ["exec", "--user", user, *variables, instance.name]
        return [*bundle.crun(instance), *into, "psql", *words]
    if settings.needs_engine:
        program = Engine.of(settings).program
        into = ["exec", "--interactive", "--user", user, "--env", passfile, instance.container]
        return [program, *into, "psql", *words]
    psql = f"{host_server.binaries(settings.major)}/psql"
    return ["env", passfile, psql, *words]


def _path(settings: Settings) -> str:
    """Where images have psql: of Debian beside its server, of others in PATH."""
    usual = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return f"{usual}:{host_server.binaries(settings.major)}"
