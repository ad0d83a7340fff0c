"""Whether an instance.env can be used, as a whole: all that sockwake-new would refuse, too."""

import os
from collections.abc import Iterable

from sockwake.admin import option_types
from sockwake.admin.make import claims, host, ports
from sockwake.admin.make.new_options import OPTIONS
from sockwake.admin.option import Option
from sockwake.config import envfile, scope
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings, pgdata
from sockwake.errors import USAGE, SockwakeError
from sockwake.kinds.table import COMPOSE, HOST, KINDS, SERVICE
from sockwake.postgres import cluster, host_server
from sockwake.system import safe_path

_OPTIONS = {option.key: option for option in OPTIONS if option.key}
_LISTEN = Option("--listen", "ADDR", type=option_types.listen_item, repeatable=True)
Place = tuple[str, int]


def lines_of(text: str) -> dict[str, str]:
    """The keys and values of a text, which may be broken."""
    pairs = (line.partition("=") for line in text.split("\n") if not line.startswith("#"))
    return {key: value for key, equals, value in pairs if equals}


def changed_keys(old: str, new: str) -> list[str]:
    """The keys that have another value, or are there in one of two texts alone."""
    before, now = lines_of(old), lines_of(new)
    return sorted(key for key in before | now if before.get(key) != now.get(key))


def require_valid(
    instance: Instance, text: str, changed: Iterable[str], is_open: Iterable[Place]
) -> Settings:
    """The settings of an instance.env; raises SockwakeError when it cannot be used.

    changed: the keys whose values are new. is_open: where the instance listens already.
    """
    settings, changed = Settings(text, instance), set(changed)
    safe_path.require_in_tree(instance.root, settings.data)
    lines = envfile.parse(text, instance.env_file)
    for key in changed:
        if lines.get(key):
            _require_value(instance, key, lines[key])
            _require_kind(settings, key)
    _require_together(instance, settings, changed)
    _require_files(instance, settings)
    _require_ports(instance, settings, set(is_open))
    if settings.data and "DATA" in changed:
        _require_data(instance, settings)
    if {"VERSION", "DATA"} & changed and settings.has_cluster:
        _require_cluster(instance, settings)
    return settings


def _require_value(instance: Instance, key: str, value: str) -> None:
    """Raise SockwakeError for a value that the option of sockwake-new would not take."""
    option = _LISTEN if key == "LISTEN" else _OPTIONS.get(key)
    if option and option.metavar:
        for part in value.split(",") if option.repeatable else [value]:
            option.check(part)
    if scope.is_user() and key in ("ALLOW", "SOCKET_USER"):
        raise SockwakeError(f"{key} is not for a user's own instance", "leave it out", USAGE)
    if key == "CHECK":
        host.require_check(value, instance.root)
    if key == "SOCKET_USER":
        host.require_user(value, instance.root)


def _require_kind(settings: Settings, key: str) -> None:
    """Raise SockwakeError (usage) for a key whose option is not for what the instance is."""
    option = _OPTIONS.get(key)
    if key == "BACKEND_PORT":
        return  # a command has one without that option: Settings tells whose it is not
    if option and option.kinds and settings.kind not in option.kinds_named:
        raise SockwakeError(
            f"{key} is not for an instance of kind '{settings.kind}'",
            f"it is for kind {' or '.join(option.kinds_named)}",
            USAGE,
        )
    if settings.runtime == HOST and key in ("ENGINE", "IMAGE"):
        raise SockwakeError(
            f"{key} is for a container, and a program of the host wakes without one",
            f"leave out {key}",
            USAGE,
        )


def _require_together(instance: Instance, settings: Settings, changed: set[str]) -> None:
    """Raise SockwakeError for new values that do not go together with the others, or the host."""
    if {"ALLOW", "LISTEN"} & changed:
        host.require_filtered(settings.allow, settings.listen, option=False)
    if "LISTEN" in changed and settings.has_cluster:
        _require_sockets(settings)
    if "VERSION" in changed and settings.runtime == HOST and not instance.root:
        host_server.require_installed(settings.major)
    if settings.is_project and {"PORTS", "PROFILES", "PROJECT"} & changed:
        from sockwake.admin.make import project  # late: few instances are one

        project.require_fit(settings, instance.root, instance.name)


def _require_sockets(settings: Settings) -> None:
    """Raise SockwakeError (usage) for a unix socket of a PostgreSQL that libpq does not find.

    With --listen that is a directory. Here it is what systemd makes a socket of.
    """
    for item in filter(lambda each: each.startswith("/"), settings.listen):
        if (named := option_types.socket_path(item, settings.port)) != item:
            raise SockwakeError(f"libpq finds no socket at {item}", f"it does at {named}", USAGE)


def _require_files(instance: Instance, settings: Settings) -> None:
    """Raise SockwakeError when the file that defines the backend is missing."""
    name = KINDS[settings.kind].definition_for(settings.runtime)
    if not name or os.path.exists(f"{instance.etc}/{name}"):
        return
    what = {COMPOSE: "its container", SERVICE: "its program"}[name]
    raise SockwakeError(
        f"instance '{instance.name}' has no {name}, which defines {what}",
        f"{scope.command('sockwake-new', '--dry-run')} shows one; write it into {instance.etc}",
    )


def _require_ports(instance: Instance, settings: Settings, is_open: set[Place]) -> None:
    """Raise SockwakeError (exists) when a place where it does not listen yet is taken."""
    known, own = {port for _, port in is_open}, {item for item, _ in is_open}
    unopened = [item for item, _ in settings.places if item not in own]
    ports.require_free_sockets(unopened, instance.root, owner=instance.name)
    for item, port in settings.places:
        if item.startswith("/") or (item, port) in is_open:
            continue
        # at other addresses of a port that is its own its socket itself is in the way
        if port not in known:
            hint = f"{scope.command('sockwake ls')} shows which ports are taken"
            ports.require_free(port, [item], instance.root, owner=instance.name, hint=hint)


def _require_data(instance: Instance, settings: Settings) -> None:
    if not instance.root:
        claims.require_no_system_place(settings.data)
        safe_path.require_safe(settings.data, "data directory")
    claims.require_own(settings.data, instance.root, but=instance)


def _require_cluster(instance: Instance, settings: Settings) -> None:
    """Raise SockwakeError unless the data are a cluster of its version, or are still to be made."""
    if os.path.exists(instance.uninitialised_file):
        return
    for major in (settings.major, *_others(settings)):
        settings_of = settings.cluster if major == settings.major else _place(settings, major)
        if os.path.exists(f"{settings_of}/PG_VERSION"):
            cluster.require_version(settings_of, settings.major, instance.name)
            return
    if not instance.root:
        cluster.require_there(settings)


def _others(settings: Settings) -> list[int]:
    """The versions beside its own of which there are directories in its data."""
    names = os.listdir(settings.data) if os.path.isdir(settings.data) else []
    return sorted({int(name) for name in names if name.isdecimal() and len(name) == 2} | {17})


def _place(settings: Settings, major: int) -> str:
    return pgdata(settings.data, major)
