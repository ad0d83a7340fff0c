"""cluster.sql: all of an instance as SQL, which another server's superuser loads."""

import os

from sockwake.admin.leave.export_files import Source
from sockwake.admin.leave.server import Server
from sockwake.postgres.names import identifier
from sockwake.system import files

# of the same length: the line that makes the superuser becomes a comment
_CREATE, _INSTEAD = b"CREATE ROLE ", b"-- the user "


def write(server: Server, source: Source, path: str) -> None:
    """Write the file, readable by root alone: it has the rows, and the roles' passwords.

    The superuser is made only where there is none of that name. Raises ProgramError.
    """
    files.write_new(path, 0o600, _head(source))
    server.dump(path)
    os.chown(path, os.geteuid(), os.getegid())  # crun gives its output to the container's user
    leave_out_role(path, source.user)


def _head(source: Source) -> str:
    statement = _literal(f"CREATE ROLE {identifier(source.user)}")
    return (
        f"-- All roles and databases of the sockwake instance {source.name}.\n"
        f"SELECT {statement} WHERE NOT EXISTS\n"
        f"    (SELECT FROM pg_roles WHERE rolname = {_literal(source.user)}) \\gexec\n\n"
    )


def leave_out_role(path: str, user: str) -> None:
    """Make a comment of the line that creates a role.

    Roles come first in a dump, before the first database is connected to.
    """
    wanted = {_CREATE + each.encode() + b";\n" for each in (user, identifier(user))}
    with open(path, "r+b") as file:
        at = 0
        for line in file:
            if line in wanted:
                file.seek(at)
                file.write(_INSTEAD)
                return
            if line.startswith(b"\\connect "):
                return
            at += len(line)


def _literal(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"
