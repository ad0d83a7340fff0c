"""sockwake-new --dry-run: the files and commands of a make(), not written and not run."""

import argparse
import json
import os

from sockwake.admin import inventory, preset
from sockwake.admin.make import new
from sockwake.admin.make.request import Request
from sockwake.engine import api, archives
from sockwake.kinds.table import COMPOSE, CRUN
from sockwake.lifecycle import image_source
from sockwake.oci import bundle, store

Files = dict[str, tuple[int, str]]


def show(request: Request, arguments: argparse.Namespace) -> None:
    """Print the files and commands of make()."""
    inventory.require_free(request.name, request.root)
    request.adopt = new.finds_data(request)
    port = new.choose_port(request)
    secret = "(secret)\n" if request.has_cluster else ""
    request.tls = (request.tls[0], secret) if request.tls and request.tls[0] else request.tls
    request.environment = "(secret)\n" if request.environment else ""
    backend_port = new.choose_backend_port(request, port)
    files = request.files(
        port, "" if request.root and not request.password else secret, backend_port
    )
    etc = request.final.etc
    others: dict[str, tuple[int, str]] = {}
    if request.root:
        commands = _commands_of_tree(request, files)
    else:
        commands = [] if arguments.no_provision else _commands(request)
    if request.fix_hba:
        commands.append(
            f"# {new.client(request).line}  # above all of pg_hba.conf, where it is needed"
        )
    if arguments.enable:
        commands.append(request.enabling())
    if arguments.enable and request.root:
        kept = preset.text({*preset.names(request.root), request.name})
        others[preset.path(request.root)] = (0o644, kept)
    if arguments.json:
        shown = {
            path: {"mode": f"{mode:04o}", "content": text}
            for path, (mode, text) in _whole(etc, files, others).items()
        }
        facts = {"files": shown, "commands": commands, "defaults": arguments.origins}
        print(json.dumps(facts, indent=2))
        return
    for default, origin in arguments.origins.items():
        print(f"# {default} is from {origin}")
    for path, (mode, text) in _whole(etc, files, others).items():
        print(f"# {path} ({mode:04o})\n{text}")
    for command in commands:
        print(f"$ {command}")


def _whole(etc: str, files: Files, others: Files) -> Files:
    """All files by their paths."""
    return {f"{etc}/{name}": file for name, file in files.items()} | others


def _commands_of_tree(request: Request, files: Files) -> list[str]:
    """What a make() in a tree has other programs do; raises SockwakeError when it would fail.

    files: gets those that are written by what these say.
    """
    from sockwake.admin.make import baking

    baking.require_possible(request)
    with baking.offered(request) as found:
        digests = {name: each.engine_id for name, each in found.items()}
    if not baking.is_bundled(request):
        place = store.archives(request.root)
        return [
            f"skopeo copy {request.archive} docker-archive:{place}/{archives.file_of(name)}"
            for name in digests
        ]
    if not found and not baking.stored(request):
        return []
    told = "(what compose makes of the files, and the digest of the image)\n"
    files[os.path.basename(request.final.resolved_file)] = (0o644, told)
    digest = digests.get(request.image, "")
    commands = []
    if digest and not store.find(digest, request.root):
        final = f"{store.directory(request.root)}/{digest.removeprefix('sha256:')}"
        commands.append(f"skopeo copy {request.archive} dir:{store.directory(request.root)}/…")
        commands.append(f"umoci raw unpack --image … {final}/rootfs")
    config = "config --format json"
    return [*commands, f"docker-compose --project-name {request.final.container} {config}"]


def _commands(request: Request) -> list[str]:
    """What make() has other programs do for the instance, but for opening its port."""
    if request.lines.get("RUNTIME") == CRUN:
        return _commands_of_crun(request)
    if request.definition_file == COMPOSE:
        return [
            f"{request.lines.get('ENGINE', 'docker')} pull {request.image}  # if it is not here",
            f"docker-compose --project-name {request.final.container} create",
        ]
    if request.endpoints:
        copy = (
            [f"cp -R {request.copy_from}/. {request.data_directory}"] if request.copy_from else []
        )
        return [*copy, f"docker-compose --project-directory {request.lines['PROJECT']} create"]
    return []


def _commands_of_crun(request: Request) -> list[str]:
    """An engine that is there gives the image, or pulls it; else the registry is asked."""
    engine, image = request.lines.get("ENGINE", "docker"), request.image
    is_there = os.path.exists(api.socket_of(engine))
    work = f"{store.directory()}/…"
    source = f"{image_source.TRANSPORTS[engine] if is_there else 'docker://'}{image}"
    commands = [f"docker-compose --project-name {request.final.container} config --format json"]
    if is_there:
        commands.append(f"{engine} pull {image}  # if it is not here")
    if source.startswith("docker-daemon:"):
        source = f"docker-archive:{work}/fetched.tar"
        commands.append(f"docker save --output {work}/fetched.tar {image}")
    commands += [
        f"skopeo copy {source} dir:{work}/fetched  # unless its files are there already",
        f"umoci raw unpack --image {work}/layout {work}/image/rootfs",
    ]
    if not request.adopt:
        initialising = f"{request.final.run}/bundle {request.final.init_container}"
        commands.append(f"crun run --bundle {initialising}  # makes the cluster, and ends")
    backend = request.final.backend_unit
    tried_out = f"systemctl start {backend}  # tries {bundle.path(request.final)} out"
    return [*commands, "systemctl daemon-reload", tried_out, f"systemctl stop {backend}"]
