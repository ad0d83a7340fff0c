"""sockwake new: make the instance of a Request, whole or not at all."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress

from sockwake.admin import inventory, preset
from sockwake.admin.make import arrival, claims, draft, ports, project_copy, secret, server, trial
from sockwake.admin.make.request import Request
from sockwake.config import values
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings, load, load_if_valid, pgdata
from sockwake.engine import resources
from sockwake.engine.api import EngineError
from sockwake.errors import USAGE, SockwakeError, shown
from sockwake.kinds.table import PROJECT, SERVICE
from sockwake.lifecycle import backups, proxy_netns, start_attempt
from sockwake.oci import bundle
from sockwake.oci import container as crun_container
from sockwake.postgres import adoption, cluster, password
from sockwake.postgres.adoption import Mending
from sockwake.postgres.hba import Client
from sockwake.system import deletion, files, safe_path, systemctl


def choose_port(request: Request) -> int:
    """The port asked for, or the next free one; raises SockwakeError for what is taken."""
    if request.endpoints:
        for each in request.endpoints:
            ports.require_free(each.port, [each.address], request.root)
        return request.endpoints[0].port
    addresses = [item for item in request.listen if not item.startswith("/")]
    if request.port is not None:
        ports.require_free(request.port, addresses, request.root)
    port = request.port or ports.next_free(addresses, request.root)
    ports.require_free_sockets(request.places(port), request.root)
    return port


def choose_backend_port(request: Request, port: int) -> int:
    """A free port of the host for the backend, 0 if it needs none."""
    return ports.next_free(["127.0.0.1"], request.root, but=port) if request.needs_port() else 0


def finds_data(request: Request) -> bool:
    """Whether the data directory holds data to adopt; raises SockwakeError when it cannot be used.

    Only a PostgreSQL's data are examined.
    """
    path = request.root + request.data_directory
    if not request.root:
        safe_path.require_safe(path, "data directory")
    if request.has_cluster or "DATA" in request.lines or os.path.exists(path):
        claims.require_own(path, request.root)
    if request.has_cluster:
        return _finds_cluster(request, path, values.version(request.version))
    if os.path.exists(path) and not os.path.isdir(path):
        raise SockwakeError(f"{path} is not a directory")
    return request.keeps_data and os.path.isdir(path) and bool(os.listdir(path))


def _finds_cluster(request: Request, path: str, major: int) -> bool:
    if request.origin:
        arrival.require_empty(path)
        return request.origin.is_files
    found = pgdata(path, major)
    if os.path.exists(f"{found}/PG_VERSION"):
        cluster.check_adoptable(found, major)
        server.adopt(request, found)
        if not request.fix_hba:
            adoption.require_login(found, major, client(request))
        return True
    if request.fix_hba:
        raise SockwakeError(
            f"--fix-hba is for a cluster that is there already, and {path} has none",
            "leave it out: a new cluster asks for passwords",
            USAGE,
        )
    try:
        entries = deletion.entries(path)
    except FileNotFoundError:
        return False
    except NotADirectoryError:
        raise SockwakeError(f"{path} is not a directory") from None
    if entries:
        raise SockwakeError(
            f"data directory {path} is not empty and holds no cluster of PostgreSQL {major}",
            "empty it, or choose another with --data",
        )
    return False


def client(request: Request) -> Client:
    """How clients will come to the server."""
    return Client(request.lines["DB_USER"], request.lines["DB_NAME"], bool(request.tls))


def make(
    request: Request,
    *,
    provision: bool,
    enable: bool,
    quiet: bool,
    debug: bool,
    bake: Callable[[Instance, Settings], object] | None = None,
) -> tuple[Instance, Settings]:
    """Make the instance, whole or not at all; returns it and what its instance.env says.

    bake: called with the draft, to add what is only settled in a tree.
    """
    provision = provision and not request.root
    begun = _begin(request)
    settings = mending = None
    try:
        settings = load(begun.instance)
        _bring_files(begun, request, settings, quiet=quiet)
        if request.fix_hba:
            mending = adoption.Mending(settings.cluster, settings.major, client(request))
        if provision:
            _claim_data(begun, request)
            if request.definition_file != SERVICE or request.has_cluster:
                _provision(begun.instance, settings, mending, quiet=quiet, debug=debug)
            arrival.load(request, begun.instance, settings)
        if bake:
            bake(begun.instance, settings)
        made = _publish(begun, request)
        if enable:
            _enable(made)
        if (provision or enable) and not request.root and systemctl.is_running():
            systemctl.reload()
            if provision and not settings.needs_engine:
                trial.try_out(made, settings)
            if enable:
                systemctl.start(made.socket_unit)
    except BaseException:
        undo(request, begun, settings)
        if mending:
            mending.undo()
        raise
    begun.release()
    request.warnings += mending.said if mending else []
    _conclude(request, settings, provision=provision)
    return made, settings


def _publish(begun: draft.Draft, request: Request) -> Instance:
    if "DATA" in request.lines and request.data:
        begun.note_data(request.data_directory)
    if not request.continues:
        backups.note_earlier(begun.final)
    return begun.publish()


def _bring_files(begun: draft.Draft, request: Request, settings: Settings, *, quiet: bool) -> None:
    """Have the data directory get what it is to begin with: a project, or a cluster's files."""
    if request.copy_from:
        begun.claim_data(request.root + request.data_directory, make=True)
        project_copy.copy(request.copy_from, request.root + request.data_directory)
    elif request.origin and request.origin.is_files:
        begun.claim_data(request.data_directory, make=True)
        arrival.fill(request, request.origin, settings, quiet=quiet)


def _conclude(request: Request, settings: Settings, *, provision: bool) -> None:
    """What is done when the instance is there."""
    if request.password:
        secret.warn_unless_taken(request)
    if request.adopt and provision and request.has_cluster:
        password.forget_password(settings.data)


def _enable(made: Instance) -> None:
    """Enable the socket; in a tree have preset-all keep it enabled."""
    systemctl.enable(made.socket_unit, root=made.root)
    if made.root:
        preset.add(made)


def _begin(request: Request) -> draft.Draft:
    """Write the files as a draft of the name; an abandoned draft is deleted first."""
    while True:
        with inventory.locked(request.root):
            inventory.require_free(request.name, request.root)
            abandoned = inventory.draft_of(request.name, request.root)
            if not abandoned:
                request.adopt = finds_data(request)
                request.continues = request.adopt or _has_other_data(request)
                port = choose_port(request)
                files = request.files(port, _password(request), choose_backend_port(request, port))
                return draft.Draft(request.name, request.root, files)
            lock = inventory.take(abandoned)
        if lock >= 0:
            try:
                discard(abandoned)
            finally:
                os.close(lock)


def _claim_data(begun: draft.Draft, request: Request) -> None:
    if request.keeps_data and not request.adopt:
        begun.claim_data(request.data_directory, make=True)
    elif request.definition_file == SERVICE and not _has_state(request):
        begun.claim_data(request.data_directory, make=False)


def _has_other_data(request: Request) -> bool:
    """Whether a program has data, or a project may: of one's volumes a purge says that they go."""
    is_service = request.definition_file == SERVICE and not request.root
    return request.definition_file == PROJECT or (is_service and _has_state(request))


def _has_state(request: Request) -> bool:
    """Whether a program's data directory exists, also where systemd keeps a DynamicUser='s."""
    places = request.data_directory, f"/var/lib/private/sockwake/{request.name}"
    return any(map(os.path.lexists, places))


def discard(unfinished: Instance) -> None:
    """Remove what a killed sockwake-new had made: containers, data, directories."""
    resources.remove_containers(unfinished, load_if_valid(unfinished))
    _discard_files(unfinished)


def _discard_files(unfinished: Instance) -> None:
    end_making(unfinished)
    bundle.remove(unfinished)
    draft.delete_made_data(unfinished)
    draft.delete(unfinished)
    if not unfinished.root:
        forget_run(unfinished)


def end_making(instance: Instance) -> None:
    """End what a killed process has left at making its cluster, whose data may then be deleted."""
    from sockwake.lifecycle import hosted  # 10 ms

    hosted.end(instance)
    if not instance.root:
        arrival.end(instance)
        crun_container.end_left(instance)


def forget_run(instance: Instance) -> None:
    """Delete the runtime directory of an instance."""
    if not instance.root:
        proxy_netns.forget(instance)
        start_attempt.forget(instance)
    deletion.tree(instance.run, quietly=True)


def undo(request: Request, begun: draft.Draft, settings: Settings | None) -> None:
    """Undo a make() that failed; errors of systemd and of the engine would hide its own."""
    made = begun.instance if os.path.isdir(begun.instance.etc) else begun.final
    units = (made.socket_unit, made.proxy_unit, made.backend_unit)
    if made is begun.final:
        with suppress(SockwakeError):
            preset.remove(made)
            systemctl.disable(made.socket_unit, root=request.root)
            if not request.root:
                systemctl.stop(*units)
                systemctl.reset(*units)
    with suppress(EngineError):  # most likely the reason of the failure
        resources.remove_containers(made, settings)
    _discard_files(made)
    begun.prune()
    if made is begun.final and not request.root and systemctl.is_running():
        with suppress(SockwakeError):
            systemctl.reload()


def _provision(
    instance: Instance, settings: Settings, mending: Mending | None, *, quiet: bool, debug: bool
) -> None:
    from sockwake.lifecycle.provision import provision

    def log(text: bytes) -> None:
        if debug:
            lines = text.decode(errors="replace").split("\n")
            sys.stderr.write("\n".join(map(shown, lines)))

    took = provision(instance, settings, log, mending, quiet=quiet)
    if settings.needs_engine:
        files.replace_volatile(instance.wake_file, f"{took:.3f}\n")


def _password(request: Request) -> str:
    """The content of the password file; "" in a tree, each machine of which makes its own.

    Of an adopted cluster it is the password that sockwake rm left, or an empty line. What is given
    with --password-file counts before all.
    """
    if request.password:
        return f"{request.password}\n"
    if request.root or not request.has_cluster:
        return ""
    if request.adopt:
        return password.kept_password(request.data_directory) + "\n"
    return password.new_password()
