"""Which container engine a new instance gets, and why: the one place that decides.

Podman where both are installed, except where only docker can be right. The choice is written into
instance.env (no line ENGINE= is docker, for good), so that it is made once; its reason beside it.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from sockwake.admin.make import claims
from sockwake.admin.make.request import Request
from sockwake.config import scope
from sockwake.engine import belongings, compose_limits, holdings
from sockwake.engine.api import Engine, EngineError, socket_of
from sockwake.engine.compose_project import ComposeProject, made_by_compose
from sockwake.engine.resources import listens
from sockwake.kinds.table import CRUN
from sockwake.oci import store
from sockwake.system import systemctl

DOCKER, PODMAN = "docker", "podman"
_PROGRAMS = {DOCKER: "dockerd", PODMAN: "podman"}
_FOLDERS = ("usr/bin", "usr/sbin", "usr/local/bin", "usr/local/sbin")
_SOCKET = "podman.socket"
_RESOLVER = "usr/lib/podman/aardvark-dns"
_BY_CHOICE = "docker is installed, too, and takes longer for a wake and stays resident"
_NETWORKS_OF_ITSELF = ("none", "host", "bridge")


class Choice(NamedTuple):
    """An engine, and why it is that one; no reason where there was no choice."""

    engine: str
    why: str


@dataclass(frozen=True)
class Wanted:
    """What an instance names that an engine may have or lack.

    images, networks, volumes: their names. project: what compose calls it, "" for no project.
    data: its directory. bridges: it is in a network that an engine makes. resolves: its services
    find each other by name. only_docker: what in its files podman cannot do. is_crun: an engine
    only gives the image.
    """

    images: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    project: str = ""
    data: str = ""
    bridges: bool = False
    resolves: bool = False
    only_docker: str = ""
    is_crun: bool = False


def settle(request: Request, named: str | None, wanted: Wanted) -> None:
    """Give a request its engine: the one that --engine names, or the one to choose."""
    if named:
        has_choice = not scope.is_user() and len(installed(request.root)) > 1
        choice = Choice(named, "--engine names it" if has_choice else "")
    else:
        choice = choose(wanted, request.root)
    request.engine, request.engine_why = choice
    if choice.engine == PODMAN:
        request.lines["ENGINE"] = PODMAN


def of_container(request: Request, network: str) -> Wanted:
    """What an instance of one container names."""
    is_own, data = network in _NETWORKS_OF_ITSELF, request.data_directory
    return Wanted(
        images=(request.image,) if request.image else (),
        networks=() if is_own else (network,),
        data=request.data or (data if os.path.isdir(data) else ""),
        bridges=not is_own or network == "bridge",
        is_crun=request.runtime == CRUN,
    )


def of_project(project: ComposeProject) -> Wanted:
    """What a compose project names."""
    networks, volumes = (
        tuple(
            str(each.get("name") or name)
            for name, each in (project.config.get(what) or {}).items()
            if each and (each.get("external") or name in made_by_compose(project.config, what))
        )
        for what in ("networks", "volumes")
    )
    modes = [str(each.get("network_mode") or "") for each in project.definitions.values()]
    return Wanted(
        images=tuple(each.image for each in project.services.values()),
        networks=tuple(each for each in networks if each != f"{project.name}_default"),
        volumes=volumes,
        project=project.name,
        bridges=not all(modes),
        resolves=modes.count("") > 1,
        only_docker=compose_limits.only_docker(project),
    )


def choose(wanted: Wanted, root: str = "") -> Choice:
    """The engine of an instance that names none. In a tree no engine is asked what it has."""
    if scope.is_user():
        return Choice(PODMAN, "")
    found = installed(root)
    if len(found) < len(_PROGRAMS):
        return Choice(found[0] if found else DOCKER, "")
    if why := next(_why_not_podman(wanted, root), ""):
        return Choice(DOCKER, why)
    if root:
        return Choice(PODMAN, _BY_CHOICE)
    if not listens(socket_of(DOCKER)):
        if wanted.project:
            return Choice(DOCKER, "docker does not answer, and may have volumes of the project")
        return Choice(PODMAN, "docker is installed, too, and does not answer")
    why = next(_why_docker(wanted, Engine(socket_of(DOCKER)), Engine(socket_of(PODMAN))), "")
    return Choice(DOCKER, why) if why else Choice(PODMAN, _BY_CHOICE)


def installed(root: str = "") -> list[str]:
    """The engines whose programs are there."""
    return [
        engine
        for engine, program in _PROGRAMS.items()
        if any(os.path.exists(f"{root}/{folder}/{program}") for folder in _FOLDERS)
    ]


def _why_not_podman(wanted: Wanted, root: str) -> Iterator[str]:
    """Why podman cannot wake it on this host, or in this tree."""
    if wanted.only_docker:
        yield f"{wanted.only_docker}, which podman does not do"
    if not systemctl.is_enabled(_SOCKET, root=root):
        yield f"{_SOCKET} is not enabled"
    if not root and not listens(socket_of(PODMAN)):
        yield f"podman does not answer at {socket_of(PODMAN)}"
    nft = (f"{root}/{folder}/nft" for folder in _FOLDERS)
    if wanted.bridges and not any(map(os.path.exists, nft)):
        yield "podman's networks need nftables, which is not installed"
    if wanted.resolves and not os.path.exists(f"{root}/{_RESOLVER}"):
        yield "podman needs aardvark-dns for the names of services, which is not installed"


def _why_docker(wanted: Wanted, docker: Engine, podman: Engine) -> Iterator[str]:
    """Why only docker can be right, by what the two engines have."""
    try:
        yield from _only_in_docker(wanted, docker, podman)
    except EngineError as error:
        yield f"not both engines tell what they have ({error.message})"


def _only_in_docker(wanted: Wanted, docker: Engine, podman: Engine) -> Iterator[str]:
    if wanted.project and (what := holdings.of_project(docker, wanted.project)):
        yield f"docker has {what} of the project '{wanted.project}'"
    named = {"image": wanted.images, "network": wanted.networks, "volume": wanted.volumes}
    for what, names in named.items():
        for name in names:
            found = holdings.find(docker, what, name)
            if not found or (wanted.is_crun and _is_in_store(found)):
                continue
            if not holdings.find(podman, what, name):
                yield f"docker has {what} {name}, and podman has not"
    for each, place in holdings.mounting(docker, wanted.data) if wanted.data else ():
        if not claims.is_system_s(place):
            yield f"docker's container {', '.join(belongings.names_of(each))} mounts {place}"


def _is_in_store(image: dict[str, object]) -> bool:
    """Whether docker's image is here already and a registry knows it: its updates come from there.

    One that was built in docker is built there again.
    """
    return bool(image.get("RepoDigests")) and bool(store.find(str(image.get("Id"))))
