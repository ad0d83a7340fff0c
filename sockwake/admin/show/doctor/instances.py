"""Checks of instances: their files, modes, ports, images, and what lets clients in."""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

from sockwake.admin.show.doctor.finding import Finding, Patient, command
from sockwake.admin.show.sight import DOWN
from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings, pgdata
from sockwake.engine import images
from sockwake.engine.api import Engine
from sockwake.errors import SockwakeError
from sockwake.lifecycle import runtime
from sockwake.oci import bundle, store
from sockwake.postgres import cluster, credential, hba, tls
from sockwake.postgres.password import read_password
from sockwake.system import port_owner, procnet, systemctl

_SECRETS = 0o600


def broken(patient: Patient) -> Iterator[Finding]:
    """An instance.env that cannot be used."""
    for instance in patient.chosen:
        error = patient.settings(instance)
        if isinstance(error, SockwakeError):
            yield Finding(error.whole, f"editor {instance.env_file}", instance.name)


def failed_wakes(patient: Patient) -> Iterator[Finding]:
    """A last wake that has failed."""
    for instance in patient.chosen:
        if failure := runtime.last_failure(instance):
            log = command("journalctl", "-u", instance.backend_unit)
            yield Finding(f"its last wake failed: {failure}", log, instance.name)


def sockets(patient: Patient) -> Iterator[Finding]:
    """A port that is not open though it should be, or is open and will not be after a boot."""
    for instance, settings in patient.valid():
        unit = instance.socket_unit
        state, is_enabled = patient.sight.state(unit), os.path.lexists(_link(instance))
        start = command("systemctl", "start", unit)
        if state == "failed" or (is_enabled and state == "inactive"):
            holder = _holder(patient, settings)
            what = f"its port is taken by {holder}" if holder else "its port is not open"
            fix = None if holder else partial(systemctl.start, unit)
            yield Finding(what, start, instance.name, fix)
        elif state == "active" and not is_enabled:
            yield Finding(
                "its port is open, and will not be after the next boot",
                command("systemctl", "enable", unit),
                instance.name,
            )


def addresses(patient: Patient) -> Iterator[Finding]:
    """A socket that is open at another place than instance.env has, since that was edited."""
    for instance, settings in patient.valid():
        if patient.sight.state(instance.socket_unit) != "active":
            continue
        for address, port in settings.places:
            if not _listens(patient, address, port):
                where = address if address.startswith("/") else f"{address} port {port}"
                restart = command("systemctl", "restart", instance.socket_unit)
                yield Finding(f"nothing listens at {where} yet", restart, instance.name)
                break


def images_there(patient: Patient) -> Iterator[Finding]:
    """An image that the next wake needs, and that is not here."""
    for instance, settings in patient.valid():
        if settings.is_bundled:
            digest = bundle.image_of(instance)
            if digest and not _is_stored(digest):
                name = bundle.reference_of(instance) or settings.image
                pull = command("sockwake images", "pull", name)
                yield Finding(f"its image {name} is not here", pull, instance.name)
        elif settings.needs_engine and settings.image and patient.runs(Engine.of(settings)):
            try:
                images.require_image(Engine.of(settings), settings.image)
            except SockwakeError as error:
                yield Finding(error.message, error.hint, instance.name)


def modes(patient: Patient) -> Iterator[Finding]:
    """Files that others may read or write though they must not."""
    for instance in patient.chosen:
        for path in (instance.password_file, instance.tls_key, instance.variables_file):
            if (mode := _mode(path)) is not None and mode & 0o077:
                yield _too_open(instance, path, mode, _SECRETS)
        for path in (instance.etc, instance.env_file, instance.compose_file, instance.service_file):
            if (mode := _mode(path)) is not None and mode & 0o022:
                yield _too_open(instance, path, mode, mode & ~0o022)


def trust(patient: Patient) -> Iterator[Finding]:
    """A pg_hba.conf that lets clients in without a password."""
    for instance, settings in _with_cluster(patient):
        client = hba.Client(settings.db_user, settings.db_name, settings.tls)
        inside = pgdata(cluster.mount(settings.major), settings.major)
        try:
            line = hba.Rules(settings.cluster, inside, settings.major).first(client)
        except (SockwakeError, OSError):
            continue
        if line and hba.method(line) == "trust":
            yield Finding(
                f"its server asks no password: {line.path}:{line.number} says {line.text}",
                f"editor {line.path} +{line.number}  # {client.line}",
                instance.name,
            )


def certificates(patient: Patient) -> Iterator[Finding]:
    """A certificate that has expired."""
    for instance, settings in patient.valid():
        if settings.tls and tls.has_expired(instance.tls_certificate):
            yield Finding(
                f"{instance.tls_certificate} has expired: verifying clients do not connect",
                f"cp NEW.crt {instance.tls_certificate}; cp NEW.key {instance.tls_key}",
                instance.name,
            )


def credentials(patient: Patient) -> Iterator[Finding]:
    """A credential with another password than the cluster has, which took it when it was made."""
    for instance, _ in _with_cluster(patient):
        path = credential.path_of(instance)
        if not path:
            continue
        try:
            told, known = credential.content(instance).rstrip("\n"), read_password(instance)
        except SockwakeError:
            continue  # no wake reads it any more
        if told and known and told != known:
            decrypt = f"systemd-creds decrypt {path} - | " if credential.is_encrypted(path) else ""
            file = "-" if decrypt else path
            yield Finding(
                f"its credential {path} has another password than its cluster",
                decrypt + command("sockwake passwd", "--password-file", file, instance.name),
                instance.name,
            )


def unwatched(patient: Patient) -> Iterator[Finding]:
    """A container that runs though no client has woken it."""
    for instance, settings in patient.valid():
        is_down = patient.sight.state(instance.backend_unit) in DOWN
        if not is_down or not settings.needs_engine or not patient.runs(Engine.of(settings)):
            continue
        if patient.sight.runs(instance, settings):
            unit = f"{instance.check_unit}.service"
            yield Finding(
                "its container runs though no client woke it",
                command("systemctl", "start", unit),
                instance.name,
                partial(systemctl.start, unit),
            )


def _with_cluster(patient: Patient) -> Iterator[tuple[Instance, Settings]]:
    """The instances with a cluster that was made; raises PermissionError for the system's.

    A user's own are of a user namespace, which doctor does not enter.
    """
    for instance, settings in patient.valid():
        with suppress(*([PermissionError] if scope.is_user() else [])):
            if settings.has_cluster and cluster.exists(settings):
                yield instance, settings


def _too_open(instance: Instance, path: str, mode: int, right: int) -> Finding:
    others = "write" if mode & 0o022 else "read"
    return Finding(
        f"others may {others} {path} (mode {mode:04o})",
        f"chmod {right:04o} {path}",
        instance.name,
        partial(os.chmod, path, right),
    )


def _mode(path: str) -> int | None:
    """The mode of a file or directory that is no link; None when there is none."""
    try:
        found = os.lstat(path).st_mode
    except OSError:
        return None
    return None if stat.S_ISLNK(found) else stat.S_IMODE(found)


def _link(instance: Instance) -> str:
    """The link with which its socket is enabled."""
    wants = f"sockets.target.wants/{instance.socket_unit}"
    if scope.is_user():
        return f"{os.path.dirname(scope.etc())}/systemd/user/{wants}"
    return f"/etc/systemd/system/{wants}"


def _holder(patient: Patient, settings: Settings) -> str:
    sight = patient.sight
    for address, port in settings.places:
        if found := port_owner.holder([address], port, sight.tables, sight.owners):
            return found
    return ""


def _listens(patient: Patient, address: str, port: int) -> bool:
    """Whether any socket listens there; one for all addresses listens at each."""
    if address.startswith("/"):
        return os.path.exists(address)
    packed = procnet.octets(address)
    hosts = {procnet.written(packed), procnet.written(bytes(len(packed)))}
    rows = procnet.listening(port, patient.sight.tables)
    return any(row[1].partition(":")[0] in hosts for row in rows)


def _is_stored(digest: str) -> bool:
    try:
        return store.find(digest) is not None
    except OSError:
        return True  # it may not be read
