"""Why a service needs an engine: whatever is not known to work without one is a reason."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sockwake.oci.capabilities import named
from sockwake.oci.mounts import unmounted

# they say how the service is made, started or looked at, or are translated whatever they say
_KNOWN = frozenset(
    """
    annotations attach build cap_drop command container_name cpu_period cpu_quota cpu_shares cpus
    cpuset depends_on develop dns dns_opt dns_search domainname entrypoint env_file environment
    expose group_add healthcheck hostname image labels mem_limit mem_reservation mem_swappiness
    memswap_limit network_mode oom_score_adj pids_limit platform ports profiles pull_policy
    read_only restart shm_size stop_grace_period stop_signal tty ulimits user working_dir
    """.split()
)
_PRIVATE = ("private", "shareable", "default")
_NAMESPACED = ("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.", "net.")
_TMPFS = frozenset(
    """
    ro rw exec noexec suid nosuid dev nodev sync async dirsync mand nomand atime noatime diratime
    nodiratime relatime norelatime strictatime nostrictatime
    """.split()
)
_TMPFS_VALUES = frozenset("size mode uid gid nr_inodes nr_blocks mpol".split())
_LOGS = ("none", "local", "json-file", "journald", "k8s-file", "passthrough")
_ENGINES = ("docker.sock", "podman.sock", "containerd.sock")
_INITS = ("/usr/bin/tini-static", "/usr/bin/catatonit", "/usr/libexec/podman/catatonit")
_SPREADS = ("private", "rprivate", "slave", "rslave", "shared", "rshared")
_SELINUX = "/sys/fs/selinux"


def why_engine(
    service: Mapping[str, Any], image: Mapping[str, Any] | None = None, *, has_cluster: bool = False
) -> str:
    """ "" when crun can run a service, else the reason in words.

    service: as `compose config --format json` prints it. image: the config of its image, if known.
    has_cluster: it is a PostgreSQL, of which only what is mounted is written to.
    """
    return next(_reasons(service, image or {}, has_cluster), "")


def init_program() -> str:
    """A program of the host that can be process 1 of any container; "" when there is none."""
    return next(filter(os.path.exists, _INITS), "")


def _reasons(
    service: Mapping[str, Any], image: Mapping[str, Any], has_cluster: bool
) -> Iterator[str]:
    yield from _network(service)
    for key, value in service.items():
        if not value and key != "init":
            continue
        if key in _CHECKED:
            yield from _CHECKED[key](value)
        elif key not in _KNOWN:
            yield f"it says {key}, which only an engine understands"
    if service.get("network_mode") == "host":
        yield from _of_the_host(service)
    if has_cluster:
        yield from _of_a_cluster(service, image)
        for path in unmounted(service, image):
            yield f"its image keeps data in {path}, where nothing is mounted"
        return
    for each in service.get("volumes") or ():
        if (each.get("bind") or {}).get("propagation") in ("shared", "rshared"):
            yield f"what it mounts in {each['target']} is to be seen on the host (propagation)"


def _network(service: Mapping[str, Any]) -> Iterator[str]:
    mode = str(service.get("network_mode") or "")
    kind, _, other = mode.partition(":")
    if other:
        yield f"its network is that of the {kind} {other}"
    elif mode not in ("none", "host"):
        yield "its network is a bridge (network_mode: none or host needs no engine)"


def _of_the_host(service: Mapping[str, Any]) -> Iterator[str]:
    if service.get("extra_hosts"):
        yield "it has names of its own for addresses (extra_hosts) on the host's network"
    if any(service.get(key) for key in ("dns", "dns_search", "dns_opt")):
        yield "it has name servers of its own (dns) on the host's network"
    for name in service.get("sysctls") or ():
        if name.startswith("net."):
            yield f"it sets {name} on the host's network"


def _of_a_cluster(service: Mapping[str, Any], image: Mapping[str, Any]) -> Iterator[str]:
    """Its server is started without the image's entrypoint."""
    if service.get("entrypoint"):
        yield "its entrypoint is not the image's"
    command = service.get("command") or image.get("Cmd") or ["postgres"]
    if os.path.basename(command[0]) != "postgres" and not command[0].startswith("-"):
        yield f"its command is {command[0]}, and not postgres"
    if service.get("init"):
        yield "it asks for an init (init: true)"


def _words(what: str, *harmless: str) -> Callable[[Any], Iterator[str]]:
    """The reasons of a key with one value."""

    def check(value: object) -> Iterator[str]:
        if value not in harmless:
            yield what.format(value)

    return check


def _each(what: str, key: str) -> Callable[[Any], Iterator[str]]:
    """The reasons of a key with a list of things, each of which needs the engine."""

    def check(things: list[Any]) -> Iterator[str]:
        for each in things:
            yield what.format(each.get(key) if isinstance(each, dict) else each)

    return check


def _volumes(volumes: list[dict[str, Any]]) -> Iterator[str]:
    for each in volumes:
        kind, source, target = each.get("type"), each.get("source") or "", each["target"]
        details = each.get(str(kind)) or {}
        if kind == "volume":
            yield (
                f"it uses the named volume {source}" if source else f"it uses a volume at {target}"
            )
        elif kind not in ("bind", "tmpfs"):
            yield f"it mounts a {kind} at {target}"
        elif os.path.basename(source) in _ENGINES:
            yield f"it uses the engine's socket {source}"
        elif details.get("selinux") and os.path.isdir(_SELINUX):
            yield f"{source} is to be labelled for SELinux"
        elif details.get("propagation", "private") not in _SPREADS:
            yield f"it mounts {source} with the propagation {details['propagation']}"
        for unknown in details.keys() - _OF_A_MOUNT | each.keys() - _MOUNT_KEYS:
            yield f"it says {unknown} of what is mounted at {target}"
        yield from _target(target)


_OF_A_MOUNT = {"propagation", "create_host_path", "selinux", "size", "mode"}
_MOUNT_KEYS = {"type", "source", "target", "read_only", "consistency", "bind", "tmpfs", "volume"}


def _target(target: str) -> Iterator[str]:
    path = os.path.normpath(target)
    if path == "/" or not target.startswith("/"):
        yield f"it mounts something at {target}"
    elif path.split("/")[1] in ("proc", "sys", "dev") and not f"{path}/".startswith("/dev/shm/"):
        yield f"it mounts something at {path}"


def _tmpfs(mounts: list[str]) -> Iterator[str]:
    for each in mounts:
        target, _, options = each.partition(":")
        for option in filter(None, options.split(",")):
            if option not in _TMPFS and option.partition("=")[0] not in _TMPFS_VALUES:
                yield f"its tmpfs at {target} has the option {option}"
        yield from _target(target)


def _security(options: list[str]) -> Iterator[str]:
    for each in options:
        name, _, value = each.replace("=", ":", 1).partition(":")
        if name != "no-new-privileges" or value not in ("", "true", "false"):
            yield f"it has security_opt {each}"


def _capabilities(names: list[str]) -> Iterator[str]:
    for each in names:
        if not named(each):
            yield f"it asks for the unknown capability {each}"


def _sysctls(settings: dict[str, object]) -> Iterator[str]:
    for name in settings:
        if not name.startswith(_NAMESPACED):
            yield f"it sets {name}, which is the host's"


def _hosts(hosts: list[str] | dict[str, Any]) -> Iterator[str]:
    for each in hosts:
        if str(each).endswith("host-gateway"):
            yield "it asks for the address of the engine's gateway (host-gateway)"


def _logging(logging: dict[str, Any]) -> Iterator[str]:
    if (driver := logging.get("driver") or "none") not in _LOGS:
        yield f"its output goes to {driver}, by the engine"


def _deploy(deploy: dict[str, Any]) -> Iterator[str]:
    resources = deploy.get("resources") or {}
    for section in ("limits", "reservations"):
        for key, value in (resources.get(section) or {}).items():
            if value and key not in ("cpus", "memory", "pids"):
                yield "it uses a device" if key == "devices" else f"it asks for {key}"
    if deploy.get("replicas", 1) != 1:
        yield f"it asks for {deploy['replicas']} replicas"


def _init(init: object) -> Iterator[str]:
    if init and not init_program():
        yield "it asks for an init (init: true), and the package tini is not installed"


_CHECKED: dict[str, Callable[[Any], Iterator[str]]] = {
    "cap_add": _capabilities,
    "cgroup": _words("it uses the cgroup of the {}", "private"),
    "configs": _each("it uses the config {}", "source"),
    "deploy": _deploy,
    "device_cgroup_rules": _each("it may use devices ({})", ""),
    "devices": _each("it uses the device {}", "source"),
    "extra_hosts": _hosts,
    "init": _init,
    "ipc": _words("its shared memory is not its own (ipc: {})", *_PRIVATE),
    "isolation": _words("its isolation is {}", "default"),
    "logging": _logging,
    "pid": _words("its processes are not its own (pid: {})", "private"),
    "privileged": lambda _: iter(("it is privileged",)),
    "scale": lambda count: iter(() if count == 1 else (f"it asks for {count} replicas",)),
    "secrets": _each("it uses the secret {}", "source"),
    "security_opt": _security,
    "sysctls": _sysctls,
    "tmpfs": _tmpfs,
    "userns_mode": _words("its users are not the host's (userns_mode: {})", "host"),
    "uts": _words("its name is that of the host (uts: {})", "private"),
    "volumes": _volumes,
    "volumes_from": _each("it uses the volumes of {}", ""),
}
