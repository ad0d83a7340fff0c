"""The files of a copy: those of its source, with what only one instance can have of its own."""

import os

from sockwake.admin import option_types
from sockwake.admin.change import lines, new_name
from sockwake.admin.make import ports
from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.errors import SockwakeError
from sockwake.kinds.table import COMPOSE, SERVICE
from sockwake.postgres import password, tls
from sockwake.system import files, process

Texts = dict[str, tuple[int, str]]
_PLAIN = ("instance.env", COMPOSE, SERVICE, "environment", "resolved.json", "uninitialised")


def texts(
    source: Instance, target: Instance, port: int, data: str, *, keeps_password: bool
) -> Texts:
    """Name to (mode, text). port: 0 for the next free one. data: "" for the default place."""
    made: Texts = {}
    for name in _PLAIN:
        path = f"{source.etc}/{name}"
        if os.path.exists(path):
            with open(path, encoding="utf-8", newline="") as file:
                text = new_name.text_for(name, file.read(), source, target)
            made[name] = os.stat(path).st_mode & 0o777, text
    with open(source.env_file, encoding="utf-8", newline="") as file:
        settings = Settings(file.read(), source)
    mode, env = made["instance.env"]
    made["instance.env"] = mode, _env(env, settings, source, target, port, data)
    if SERVICE in made and data:
        mode, unit = made[SERVICE]
        made[SERVICE] = mode, new_name.with_place(unit, target.data, data)
    if SERVICE in made and settings.data != source.root + source.data:
        mode, unit = made[SERVICE]
        had = settings.data.removeprefix(source.root)
        made[SERVICE] = mode, new_name.with_place(unit, had, data or target.data)
    if settings.has_cluster:
        made |= _password(source, keeps=keeps_password)
    if settings.tls and os.path.exists(source.tls_certificate):
        made |= _pair(source, settings, keeps=source.name == target.name)
    return made


def _env(
    text: str, settings: Settings, source: Instance, target: Instance, port: int, data: str
) -> str:
    """instance.env with a port, sockets and data of its own; raises SockwakeError."""
    addresses = [item for item in settings.listen if not item.startswith("/")]
    if port:
        ports.require_free(port, addresses, source.root)
    else:
        port = ports.next_free(addresses, source.root)
    listen = [_listening(item, settings, source, target, port) for item in settings.listen]
    ports.require_free_sockets(listen, source.root)
    changes = {"PORT": str(port), "LISTEN": ",".join(listen)}
    is_other = source.name != target.name
    has_port = settings.backend_port and not settings.is_container and ports.is_on_host(source.etc)
    if is_other and has_port:
        raise SockwakeError(
            f"the program of '{source.name}' has port {settings.backend_port} of the host",
            f"{scope.command('sockwake-new')} makes another with a port of its own",
        )
    is_said = any(line.startswith("DATA=") for line in text.splitlines())
    if data or is_said:
        changes["DATA"] = data or target.data
    return lines.changed(text, changes)


def _listening(item: str, settings: Settings, source: Instance, target: Instance, port: int) -> str:
    """An address, or the unix socket of the copy."""
    if not item.startswith("/"):
        return item
    if settings.has_cluster and item.endswith(f"/.s.PGSQL.{settings.port}"):
        return option_types.socket_path(os.path.dirname(item), port)
    own = new_name.with_name(item, source.name, target.name)
    if own == item and source.name != target.name:
        raise SockwakeError(
            f"instance '{source.name}' listens on {item}, which only one can",
            f"{scope.command('sockwake set')} takes it out of LISTEN",
        )
    return own


def _password(source: Instance, *, keeps: bool) -> Texts:
    if not keeps and source.root:
        return {}  # each machine makes its own
    if not keeps:
        return {"password": (0o600, password.new_password())}
    had = files.text_of(source.password_file)
    return {"password": (0o600, had)} if had else {}


def _pair(source: Instance, settings: Settings, *, keeps: bool) -> Texts:
    """Certificate and key: new ones, or those of an administrator's as they are."""
    if not keeps and _is_self_signed(source.tls_certificate):
        if source.root:
            return {}  # the first wake makes them
        certificate, key = tls.self_signed(settings.listen)
    else:
        certificate, key = files.text_of(source.tls_certificate), files.text_of(source.tls_key)
    return {"server.crt": (0o644, certificate), "server.key": (0o600, key)}


def _is_self_signed(certificate: str) -> bool:
    argv = ["openssl", "x509", "-in", certificate, "-noout", "-subject", "-issuer"]
    said = process.run(argv, check=False).splitlines()
    return len({line.partition("=")[2].strip() for line in said}) == 1
