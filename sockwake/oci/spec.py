"""The OCI runtime configuration of a service: what an engine would give it, without the engine.

A service is one of `compose config --format json`, in which "$" is written "$$"; an image is the
"config" object of its OCI image configuration.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from sockwake.oci import accounts, apparmor, capabilities, mounts, seccomp
from sockwake.oci.accounts import User
from sockwake.oci.command import Image, Service, plain
from sockwake.oci.command import command as command
from sockwake.oci.command import server_command as server_command
from sockwake.oci.command import variables_of as variables_of
from sockwake.oci.health import healthcheck as healthcheck
from sockwake.oci.hosts import etc_files as etc_files
from sockwake.oci.hosts import hostname
from sockwake.oci.mounts import missing as missing
from sockwake.oci.mounts import unmounted as unmounted
from sockwake.oci.reasons import init_program as init_program
from sockwake.oci.reasons import why_engine as why_engine
from sockwake.oci.unit import limits as limits
from sockwake.oci.unit import stop_grace as stop_grace
from sockwake.oci.unit import stop_signal as stop_signal

Spec = dict[str, Any]

FOLDER = "etc"  # in a bundle: the files of etc_files()
MEMORY = ("/tmp", "/run", "/var/tmp")  # what a server writes to beside its data
_INIT = "/dev/init"  # on a file system of the container's own
_MASKED = (
    *("/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys"),
    *("/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/timer_list"),
    *("/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware"),
)
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
# what Docker sets where the network is the container's own: every port and ping are for any user
_OF_A_NETWORK = {
    "net.ipv4.ip_unprivileged_port_start": "0",
    "net.ipv4.ping_group_range": "0 2147483647",
}


def everyday(
    service: Service,
    image: Image,
    root: str,
    *,
    name: str,
    owner: tuple[int, int],
    network: str = "",
) -> Spec:
    """A PostgreSQL's: the server alone, as the owner of its cluster, with no capability.

    owner: (uid, gid) in numbers. root: the image's file system. network: the path of the network
    namespace that it is to be in, "" for a new one.
    """
    made = spec(
        service,
        image,
        root,
        name=name,
        args=server_command(service, image, root),
        user=accounts.owner(root, *owner, plain(service.get("group_add") or [])),
        granted=(),
        new_privileges=False,
        writable=MEMORY,
    )
    _join(made, network)
    return made


def container(
    service: Service,
    image: Image,
    files: str,
    *,
    name: str,
    root: str,
    network: str = "",
    volumes: Sequence[tuple[str, str]] = (),
) -> Spec:
    """That of any other container: what an engine would give it.

    files: the image's file system. root: where the container's own is going to be. volumes: (path
    of the host, path in the container), to write to. network: as for everyday().
    """
    made = spec(service, image, files, name=name, binds=volumes)
    made["root"] = {"path": root, "readonly": bool(service.get("read_only"))}
    _join(made, network)
    return made


def needs_layer(service: Service, made: Spec, files: str) -> bool:
    """Whether container() needs a root of its own, beside the image's file system.

    Mount points that the image lacks are made in there, and not in the image.
    """
    return not service.get("read_only") or bool(missing(files, made["mounts"]))


def _join(made: Spec, network: str) -> None:
    """Have the container be in a network namespace that is there already; "" for a new one."""
    for each in made["linux"]["namespaces"] if network else ():
        if each["type"] == "network":
            each["path"] = network


def initialising(
    service: Service,
    image: Image,
    root: str,
    *,
    name: str,
    environment: Mapping[str, str],
    binds: Sequence[tuple[str, str]] = (),
) -> Spec:
    """Of the container that makes a PostgreSQL's cluster: the image's entrypoint.

    It is root, with the engines' default capabilities, unless service or image say otherwise.
    environment: beside the service's own. binds: (path of the host, path in the container), to
    write to.
    """
    return spec(
        service, image, root, name=name, environment=environment, binds=binds, writable=MEMORY
    )


def spec(
    service: Service,
    image: Image,
    root: str,
    *,
    name: str,
    args: Sequence[str] | None = None,
    user: User | None = None,
    granted: Sequence[str] | None = None,
    new_privileges: bool = True,
    environment: Mapping[str, str] | None = None,
    binds: Sequence[tuple[str, str]] = (),
    writable: Sequence[str] = (),
) -> Spec:
    """The configuration of a service for which why_engine() has no reason.

    root: the path of the image's file system. name: its host name, unless it has one.
    args, user, granted (capabilities): instead of what service and image say. environment and
    binds: beside it. new_privileges: whether a program may get any, if the service lets it.
    writable: where it gets an empty file system in memory.
    Raises SockwakeError for a user or program that the image does not have.
    """
    own: dict[str, Any] = plain(dict(service))
    user = user or accounts.user(
        root, str(own.get("user") or image.get("User") or ""), own.get("group_add") or ()
    )
    if granted is None:
        granted = capabilities.granted(own.get("cap_add") or (), own.get("cap_drop") or ())
    words = list(args) if args is not None else command(own, image)
    if args is None and own.get("init"):
        words = [_INIT, "--", *words]
    variables = {"HOME": user.home} | _environment(own, image, name, environment or {})
    process = _process(own, user, granted, may_gain=new_privileges and _may_gain(own))
    folder = own.get("working_dir") or image.get("WorkingDir") or "/"
    told = {"args": words, "env": [f"{k}={v}" for k, v in variables.items()], "cwd": folder}
    return {
        "ociVersion": "1.0.2",
        "process": {**process, **told},
        "root": {"path": root, "readonly": True},
        **_named("hostname", hostname(own, name)),
        **_named("domainname", own.get("domainname")),
        **_named("annotations", own.get("annotations")),
        "mounts": _mounts(own, root, name, binds, writable),
        "linux": _linux(own, granted),
    }


def _process(
    service: Service, user: User, granted: Sequence[str], *, may_gain: bool
) -> dict[str, Any]:
    return {
        "user": user.process(),
        "noNewPrivileges": not may_gain,
        "capabilities": _capabilities(user, granted),
        "rlimits": _rlimits(service.get("ulimits") or {}),
        "oomScoreAdj": int(service.get("oom_score_adj") or 0),
        **_named("apparmorProfile", apparmor.profile()),
    }


def _named(key: str, value: object) -> dict[str, Any]:
    return {key: value} if value else {}


def _environment(
    service: Service, image: Image, name: str, more: Mapping[str, str]
) -> dict[str, str]:
    said = hostname(service, name) or os.uname().nodename
    return {"HOSTNAME": said} | variables_of(service, image) | dict(more)


def _may_gain(service: Service) -> bool:
    """Whether a program may get more privileges than the one that runs it (setuid)."""
    said = [each.replace("=", ":") for each in service.get("security_opt") or ()]
    return not {"no-new-privileges", "no-new-privileges:true"} & set(said)


def _capabilities(user: User, granted: Sequence[str]) -> dict[str, list[str]]:
    """Only root has them from the start; others get them by setuid programs."""
    own = [] if user.uid else list(granted)
    return {"bounding": list(granted), "effective": own, "permitted": own}


def _rlimits(ulimits: Mapping[str, Any]) -> list[dict[str, Any]]:
    made = []
    for name, said in ulimits.items():
        both = said if isinstance(said, dict) else {"soft": said, "hard": said}
        soft, hard = (int(both[each]) % 2**64 for each in ("soft", "hard"))  # -1: no limit
        made.append({"type": f"RLIMIT_{name.upper()}", "soft": soft, "hard": hard})
    return made


def _mounts(
    service: dict[str, Any],
    root: str,
    name: str,
    binds: Sequence[tuple[str, str]],
    writable: Sequence[str],
) -> list[mounts.Mount]:
    made = mounts.engine_s(int(service.get("shm_size") or 0))
    made += [mounts.memory(each, *mounts.SCRATCH.get(each, ())) for each in writable]
    made += mounts.files(etc_files(service, name), FOLDER)
    made += mounts.of_service(service)
    made += [mounts.bind(source, target) for source, target in binds]
    if service.get("init") and (program := init_program()):
        made.append(mounts.bind(program, _INIT, writable=False))
    return mounts.ordered(root, made)


def _linux(service: Service, granted: Sequence[str]) -> dict[str, Any]:
    kinds = ["pid", "ipc", "uts", "mount", "cgroup"]
    settings: dict[str, str] = {}
    if service["network_mode"] != "host":
        kinds.append("network")
        settings |= _OF_A_NETWORK
    settings |= {key: str(value) for key, value in (service.get("sysctls") or {}).items()}
    return {
        "namespaces": [{"type": each} for each in kinds],
        "sysctl": settings,
        "maskedPaths": list(_MASKED),
        "readonlyPaths": list(_READ_ONLY),
        "seccomp": seccomp.profile(granted),
    }
