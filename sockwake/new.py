"""sockwake-new: from a request to an instance, whole or not at all."""

import os
import shutil
import sys
from contextlib import suppress

from sockwake import cluster, inventory, ports, systemctl
from sockwake.engine import SOCKET, Engine, EngineError
from sockwake.errors import SockwakeError
from sockwake.instance import Instance, check_version, pgdata
from sockwake.request import Request


def choose_port(request: Request) -> int:
    """The port asked for, if it is free, or the next free one."""
    addresses = [item for item in request.listen if not item.startswith("/")]
    if request.port is None:
        return ports.next_free(addresses, request.root)
    ports.require_free(request.port, addresses, request.root)
    return request.port


def finds_cluster(request: Request) -> bool:
    """Whether the data directory holds a cluster to adopt; raises SockwakeError when it holds or is anything else's."""
    major = check_version(request.version)
    path = request.root + request.data_directory
    if request.data or os.path.exists(path):
        inventory.require_unclaimed(path, request.root)
    found = pgdata(path, major)
    if os.path.exists(f"{found}/PG_VERSION"):
        cluster.check_adoptable(found, major)
        return True
    try:
        entries = os.listdir(path)
    except FileNotFoundError:
        return False
    except NotADirectoryError:
        raise SockwakeError(f"{path} is not a directory") from None
    if [entry for entry in entries if entry != "lost+found"]:
        raise SockwakeError(
            f"data directory {path} is not empty and holds no cluster of PostgreSQL {major}",
            "empty it, or choose another with --data",
        )
    return False


def make(request: Request, *, provision: bool, enable: bool, quiet: bool, debug: bool) -> Instance:
    """Make the instance, whole or not at all."""
    provision = provision and not request.root
    with inventory.locked(request.root):
        inventory.require_free(request.name, request.root)
        if abandoned := inventory.draft_of(request.name, request.root):
            discard(abandoned)
        request.adopt = finds_cluster(request)
        files = request.files(choose_port(request), _password(request))
        draft = inventory.Draft(request.name, request.root, files)
    try:
        if provision:
            if not request.adopt:
                draft.claim_data(request.data_directory)
            _provision(draft.instance, quiet=quiet, debug=debug)
        made = draft.publish()
        if enable:
            systemctl.enable(made.socket_unit, root=request.root, now=not request.root and systemctl.is_running())
        elif provision and systemctl.is_running():
            systemctl.reload()
    except BaseException:
        undo(request, draft)
        raise
    draft.release()
    if request.adopt and provision:
        cluster.forget_password(made.settings().data)
    return made


def discard(draft: Instance) -> None:
    """Remove what an interrupted or failed sockwake-new had made: its containers, its data, its directories."""
    remove_containers(draft)
    _discard_files(draft)


def _discard_files(draft: Instance) -> None:
    inventory.discard(draft)
    if not draft.root:
        shutil.rmtree(draft.run, ignore_errors=True)


def remove_containers(instance: Instance) -> None:
    """Remove the instance's containers. An engine that is not installed has none."""
    if instance.root or not os.path.exists(SOCKET):
        return
    for name in (instance.container, f"{instance.container}-init"):
        cluster.remove_container(Engine(), name)


def undo(request: Request, draft: inventory.Draft) -> None:
    """Back to where it was before a make() that failed; what systemd says to that would only hide why."""
    made = draft.instance if os.path.isdir(draft.instance.etc) else draft.final
    if made is draft.final:
        with suppress(SockwakeError):
            systemctl.disable(made.socket_unit, root=request.root)
            if not request.root:
                systemctl.stop(made.socket_unit)
                systemctl.reset(made.socket_unit)
    with inventory.locked(request.root):
        with suppress(EngineError):  # an engine that does not answer was the reason, most likely
            remove_containers(made)
        _discard_files(made)


def _provision(instance: Instance, *, quiet: bool, debug: bool) -> None:
    from sockwake.provision import provision

    def log(text: bytes) -> None:
        if debug:
            sys.stderr.write(text.decode(errors="replace"))

    provision(instance, instance.settings(), log, quiet=quiet)


def _password(request: Request) -> str:
    """The content of the password file: none in an image, whose machines each make their own; that of an
    adopted cluster where sockwake rm left it, else empty."""
    if request.root:
        return ""
    if request.adopt:
        return cluster.kept_password(request.data_directory) + "\n"
    return cluster.new_password()
