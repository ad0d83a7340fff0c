"""From the files of an instance to a cluster that the host's own PostgreSQL only has to serve."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Mapping
from contextlib import suppress

from sockwake.config.instance import Instance
from sockwake.config.settings import Settings, pgdata
from sockwake.errors import SockwakeError
from sockwake.lifecycle import initdb
from sockwake.postgres import cluster, host_server, initdb_arguments, tls
from sockwake.postgres.names import identifier
from sockwake.system import files, process, systemctl

_LONGEST = 3600  # seconds that initdb may take on the slowest disk
_USER = re.compile(r"(?m)^User=(\S+)$")
_VARIABLE = re.compile(
    r"""(?m)^(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)=(?:"((?:[^"\\]|\\.)*)"|(.*))$"""
)
_ESCAPED = re.compile(r"\\(.)")
# PostgreSQL's single-user mode takes a statement on each line
_SCRIPT = """
bin=$1 cluster=$2 user=$3 statement=$4
shift 4
"$bin/initdb" --pgdata="$cluster" --username="$user" --pwfile="$CREDENTIALS_DIRECTORY/password" "$@"
if [ -n "$statement" ]; then
	printf '%s\\n' "$statement" |
		"$bin/postgres" --single -c exit_on_error=on -D "$cluster" postgres
fi
"""


def make_what_is_missing(
    instance: Instance, settings: Settings, write: Callable[[bytes], object]
) -> None:
    """Make the cluster if it was never made, and what the server needs beside it.

    Raises SockwakeError when the server is not installed, and when the cluster is missing though it
    once was made, or is another version's.
    """
    host_server.require_installed(settings.major)
    if os.path.exists(instance.uninitialised_file):
        init = Init(instance, settings, write)
        initdb.make_whole(instance, settings, init.end, init.make)
    cluster.require_there(settings)
    cluster.require_version(settings.cluster, settings.major)
    _let_lock(settings)
    if settings.tls:
        tls.make_missing(instance, settings)
        tls.place(instance, settings)


class Init:
    """The unit in which the cluster of one instance is made, as the server's user.

    A unit and no child of ours: it has a sandbox, and can be ended by its name when the process
    that began it was killed. It gets the password as a credential (systemd.exec(5)).
    """

    def __init__(
        self, instance: Instance, settings: Settings, write: Callable[[bytes], object]
    ) -> None:
        self._instance = instance
        self._settings = settings
        self._write = write

    def make(self, staged: str) -> None:
        """Make the cluster in the empty directory staged; raises SockwakeError."""
        user, settings = server_user(self._instance), self._settings
        process.run(["chown", f"{user}:", staged])
        place = pgdata(staged, settings.major)
        theirs = shlex.split(initdb_arguments.merged(variables(self._instance)))
        words = [host_server.binaries(settings.major), place, settings.db_user, self._statement()]
        command = ["/bin/sh", "-euc", _SCRIPT, "initdb", *words, *theirs]
        try:
            said = process.run([*self._unit(user, staged), *command], timeout=_LONGEST)
        except process.ProgramError as error:
            raise SockwakeError(
                f"the cluster could not be made: initdb ended with status {error.returned}",
                said=error.said,
            ) from None
        finally:
            self.end()
        self._write(said.encode())

    def end(self) -> None:
        """End it, also one of a run that was killed."""
        end(self._instance)

    def _unit(self, user: str, staged: str) -> list[str]:
        """The command that runs another in the unit, and waits for it."""
        quoted = staged.replace("\\", "\\\\").replace('"', '\\"')
        properties = [
            f"User={user}",
            f"LoadCredential=password:{self._instance.password_file}",
            "CapabilityBoundingSet=",
            "NoNewPrivileges=yes",
            "PrivateNetwork=yes",
            "PrivateTmp=yes",
            "ProtectSystem=strict",
            f'BindPaths="{quoted}"',  # also below a /tmp of its own
            "TimeoutStopSec=10",
            "UMask=0077",
        ]
        switches = "--quiet --wait --pipe --collect --service-type=exec --expand-environment=no"
        return [
            "systemd-run",
            *switches.split(),
            f"--unit={self._instance.init_unit}",
            "--setenv=LANG=C.UTF-8",
            *(f"--property={each}" for each in properties),
        ]

    def _statement(self) -> str:
        """What makes the first database, "" when initdb does."""
        name = self._settings.db_name
        return f"CREATE DATABASE {identifier(name)}" if name != "postgres" else ""


def server_user(instance: Instance) -> str:
    """The user as whom the server runs, by service.conf."""
    named = _USER.findall(files.text_of(instance.service_file))
    return named[-1] if named else host_server.USER


def end(instance: Instance) -> None:
    """End the making of its cluster, if that is under way."""
    is_hosted = os.path.exists(instance.service_file)
    if is_hosted and not instance.root and systemctl.is_running():
        with suppress(SockwakeError):  # it makes nothing any more
            systemctl.stop(instance.init_unit)


def variables(instance: Instance) -> Mapping[str, str]:
    """What its file of variables says, as systemd reads it."""
    found = _VARIABLE.findall(files.text_of(instance.variables_file))
    return {key: _ESCAPED.sub(r"\1", quoted) or plain for key, quoted, plain in found}


def _let_lock(settings: Settings) -> None:
    """Let the server's user open the data directory, which it locks."""
    made = os.stat(settings.data)
    owner = os.lstat(f"{settings.cluster}/PG_VERSION").st_uid
    if made.st_uid != owner and made.st_mode & 0o005 != 0o005:
        os.chmod(settings.data, made.st_mode & 0o7777 | 0o055)
