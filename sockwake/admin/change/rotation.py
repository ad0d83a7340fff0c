"""A new password for the superuser of a cluster that no client can reach yet, by its own psql."""

from sockwake.clients import connections
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.errors import SockwakeError
from sockwake.lifecycle import runtime, waking
from sockwake.lifecycle.beside_server import beside
from sockwake.postgres import scram
from sockwake.postgres.names import to_database
from sockwake.system import files, process, systemctl, transient

_PASSFILE = ".pgpass"
_WHEN_READY = 'test -e "$0" && sql=$1 && shift && exec "$@" <"$sql"'


def rotate(instance: Instance, settings: Settings, old: str, new: str) -> None:
    """Start the server, change the password, stop it again; raises SockwakeError.

    Its socket is not open: nobody else can connect. That is a trial of the instance, too.
    """
    import tempfile

    runtime.make_directories(instance)
    with tempfile.TemporaryDirectory() as work:
        sql = f"{work}/sql"
        files.write_new(sql, 0o600, f"{scram.statement(new)};\n")
        files.replace_volatile(instance.trial_file, "")
        try:
            with beside(instance, settings, old, _PASSFILE) as server:
                words = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]
                argv = server.argv("psql", *words, to_database(settings.db_name))
                when_ready = ["sh", "-c", _WHEN_READY, instance.ready_file, sql, *argv]
                holder = ["flock", instance.wake_lock, *when_ready]
                transient.hold(instance.backend_unit, *holder, seconds=2 * settings.start_timeout)
        except process.ProgramError:
            if waking.has_outcome(instance) and not waking.is_ready(instance):
                raise waking.failed(instance) from None
            raise SockwakeError(
                f"the superuser's password could not be changed in '{instance.name}'",
                "is the one in the password file of the original right? journalctl says what "
                "PostgreSQL said; --keep-password leaves it",
            ) from None
        finally:
            files.remove(instance.trial_file)
            if not connections.connected(settings):
                systemctl.stop(instance.backend_unit)
