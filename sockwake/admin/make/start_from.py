"""sockwake-new --from: what a dump or a base backup has to say to the other options."""

from argparse import Namespace

from sockwake.admin.make import origin_reading
from sockwake.admin.make.new_options import OPTIONS
from sockwake.admin.make.origin import Origin
from sockwake.admin.make.request import Request
from sockwake.config import scope, values
from sockwake.errors import USAGE, SockwakeError


def given(arguments: Namespace) -> Origin:
    """What --from names, which fills in options that were not given.

    Raises SockwakeError (usage) where nothing could be made of it.
    """
    if arguments.root or arguments.no_provision or scope.is_user():
        raise SockwakeError(
            "--from makes the data now, as root and on the system that runs",
            "leave out --root, --no-provision and --user",
            USAGE,
        )
    found = origin_reading.read(vars(arguments)["from"])
    told = found.defaults | ({"VERSION": f"{found.major}"} if found.major else {})
    for option in OPTIONS:
        if option.key in told and getattr(arguments, option.name) is None:
            is_of_host = option.key == "IMAGE" and arguments.runtime == "host"
            if not is_of_host:
                setattr(arguments, option.name, option.check(told[option.key]))
    _require_version(found, arguments.version)
    return found


def _require_version(found: Origin, version: str | None) -> None:
    if not version:
        raise SockwakeError(
            f"{found.path} does not say which version it is of", "--version says it", USAGE
        )
    major = values.version(version)
    if found.is_files and found.major not in (0, major):
        raise SockwakeError(
            f"{found.path} is a cluster of PostgreSQL {found.major}, not {major}",
            f"--version {found.major} takes it; after that, "
            f"{scope.command('sockwake upgrade')} makes it {major}",
            USAGE,
        )
    if major < found.major:
        raise SockwakeError(
            f"{found.path} is a dump of PostgreSQL {found.major}, which {major} may not understand",
            f"--version {found.major}, or a newer one",
            USAGE,
        )


def decide(request: Request, origin: Origin, arguments: Namespace) -> None:
    """Raise SockwakeError (usage) unless the other options go with it; take over its password."""
    if arguments.fix_hba and not origin.is_files:
        raise SockwakeError(
            "--fix-hba is for files of a cluster, and a dump has none", "leave it out", USAGE
        )
    if not request.password:
        request.password = origin.password
    if not origin.is_files and not origin.creates:
        request.warnings.append(
            f"{origin.path} has no roles: all in it belongs to {request.lines['DB_USER']} now"
        )
