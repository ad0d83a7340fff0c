"""The OCI runtime configuration of a service: what an engine would give it, without the engine.

A service is one of `compose config --format json`, in which "$" is written "$$"; an image is the
"config" object of its OCI image configuration.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from sockwake.errors import SockwakeError
from sockwake.oci import accounts, apparmor, capabilities, mounts, rootfs, seccomp
from sockwake.oci.accounts import User
from sockwake.oci.reasons import init_program as init_program
from sockwake.oci.reasons import why_engine as why_engine
from sockwake.oci.unit import limits as limits
from sockwake.oci.unit import stop_grace as stop_grace
from sockwake.oci.unit import stop_signal as stop_signal

Service = Mapping[str, Any]
Image = Mapping[str, Any]
Spec = dict[str, Any]

FOLDER = "etc"  # in a bundle: the files of etc_files()
MEMORY = ("/tmp", "/run", "/var/tmp")  # what a server writes to beside its data
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
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
    service: Service, image: Image, root: str, *, name: str, owner: tuple[int, int]
) -> Spec:
    """A PostgreSQL's: the server alone, as the owner of its cluster, with no capability.

    owner: (uid, gid) in numbers. root: the image's file system.
    """
    return spec(
        service,
        image,
        root,
        name=name,
        args=server_command(service, image, root),
        user=accounts.owner(root, *owner, _plain(service.get("group_add") or [])),
        granted=(),
        new_privileges=False,
        writable=MEMORY,
    )


def initialising(
    service: Service,
    image: Image,
    root: str,
    *,
    name: str,
    environment: Mapping[str, str],
    binds: Sequence[tuple[str, str]] = (),
) -> Spec:
    """Of the container that makes a PostgreSQL's cluster: the image's entrypoint, as root.

    environment: beside the service's own. binds: (path of the host, path in the container), to
    write to.
    """
    return spec(
        dict(service) | {"user": ""},
        dict(image) | {"User": ""},
        root,
        name=name,
        environment=environment,
        binds=binds,
        writable=MEMORY,
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
    new_privileges: bool | None = None,
    environment: Mapping[str, str] | None = None,
    binds: Sequence[tuple[str, str]] = (),
    writable: Sequence[str] = (),
) -> Spec:
    """The configuration of a service for which why_engine() has no reason.

    root: the path of the image's file system. name: its host name, unless it has one. args, user,
    granted (capabilities) and new_privileges: instead of what service and image say; environment
    and binds: beside it. writable: where it gets an empty file system in memory.
    Raises SockwakeError for a user or program that the image does not have.
    """
    own: dict[str, Any] = _plain(dict(service))
    user = user or accounts.user(
        root, str(own.get("user") or image.get("User") or ""), own.get("group_add") or ()
    )
    if granted is None:
        granted = capabilities.granted(own.get("cap_add") or (), own.get("cap_drop") or ())
    words = list(args) if args is not None else command(own, image)
    if args is None and own.get("init"):
        words = [_INIT, "--", *words]
    variables = _environment(own, image, name, environment or {})
    variables.setdefault("HOME", user.home)
    return {
        "ociVersion": "1.0.2",
        "process": {
            "user": user.process(),
            "args": words,
            "env": [f"{key}={value}" for key, value in variables.items()],
            "cwd": own.get("working_dir") or image.get("WorkingDir") or "/",
            "noNewPrivileges": not (_may_gain(own) if new_privileges is None else new_privileges),
            **_privileges(user, granted),
            "rlimits": _rlimits(own.get("ulimits") or {}),
            "oomScoreAdj": int(own.get("oom_score_adj") or 0),
            **({"apparmorProfile": profile} if (profile := apparmor.profile()) else {}),
        },
        "root": {"path": root, "readonly": True},
        **({"hostname": hostname} if (hostname := _hostname(own, name)) else {}),
        **({"annotations": own["annotations"]} if own.get("annotations") else {}),
        "mounts": _mounts(own, root, name, binds, writable),
        "linux": _linux(own, granted),
    }


def server_command(service: Service, image: Image, root: str) -> list[str]:
    """The command line of a PostgreSQL, without the image's entrypoint: its path, its options."""
    words = [_plain(each) for each in service.get("command") or image.get("Cmd") or ["postgres"]]
    if words[0].startswith("-"):
        words.insert(0, "postgres")
    variables = variables_of(service, image)
    path = rootfs.program(root, words[0], variables["PATH"])
    has_data = any(each == "-D" or each.startswith(("-D", "--data_dir")) for each in words)
    if not has_data and not variables.get("PGDATA"):
        raise SockwakeError("the image does not say where its cluster is (PGDATA)")
    return [path, *([] if has_data else ["-D", variables["PGDATA"]]), *words[1:]]


def command(service: Service, image: Image) -> list[str]:
    """The command line that an engine would run."""
    entrypoint, said = service.get("entrypoint"), _words(service.get("command"))
    if entrypoint is None:
        start = _words(image.get("Entrypoint"))
        said = said or _words(image.get("Cmd"))
    else:
        start = _words(entrypoint)
        said = said or ([] if start else _words(image.get("Cmd")))
    if not start + said:
        raise SockwakeError("neither the image nor compose.yaml says what to run")
    return start + said


def variables_of(service: Service, image: Image) -> dict[str, str]:
    """The variables of the service's container: the image's, with those of the files."""
    made = {"PATH": _PATH} | dict(
        each.split("=", 1) for each in image.get("Env") or () if "=" in each
    )
    for key, value in (service.get("environment") or {}).items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = _plain(str(value))
    return made


def etc_files(service: Service, name: str) -> dict[str, str]:
    """The files to write into FOLDER of a bundle: hosts, hostname, resolv.conf, and their texts.

    On the host's network the container has the host's own.
    """
    own: dict[str, Any] = _plain(dict(service))
    hostname = _hostname(own, name)
    made = {"hostname": f"{hostname}\n"} if hostname else {}
    if own["network_mode"] == "host":
        return made
    pairs = [str(each).replace("=", ":", 1).partition(":") for each in own.get("extra_hosts") or ()]
    local = ("127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost ip6-loopback")
    made["hosts"] = "".join(
        f"{line}\n" for line in (*local, *(f"{address}\t{host}" for host, _, address in pairs))
    )
    keys = {"dns": "nameserver {}", "dns_search": "search {}", "dns_opt": "options {}"}
    made["resolv.conf"] = "".join(
        line.format(each) + "\n" for key, line in keys.items() for each in own.get(key) or ()
    )
    return made


def _plain(value: Any) -> Any:
    """What compose printed, with "$" for its "$$"."""
    if isinstance(value, str):
        return value.replace("$$", "$")
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return value


def _words(said: object) -> list[str]:
    if isinstance(said, str):
        return shlex.split(said)
    return [str(each) for each in said] if isinstance(said, list) else []


def _hostname(service: Service, name: str) -> str:
    """Its own host name; "" for the host's."""
    said = str(service.get("hostname") or "")
    return said or ("" if service["network_mode"] == "host" else name)


def _environment(
    service: Service, image: Image, name: str, more: Mapping[str, str]
) -> dict[str, str]:
    said = _hostname(service, name) or os.uname().nodename
    return {"HOSTNAME": said} | variables_of(service, image) | dict(more)


def _may_gain(service: Service) -> bool:
    """Whether a program may get more privileges than the one that runs it (setuid)."""
    said = [each.replace("=", ":") for each in service.get("security_opt") or ()]
    return not {"no-new-privileges", "no-new-privileges:true"} & set(said)


def _privileges(user: User, granted: Sequence[str]) -> dict[str, Any]:
    """Capabilities: only root has them from the start; others get them by setuid programs."""
    sets = ("bounding", "effective", "permitted")
    has = {each: list(granted) if each == "bounding" or not user.uid else [] for each in sets}
    return {"capabilities": has}


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
    if service.get("domainname"):
        settings["kernel.domainname"] = service["domainname"]
    settings |= {key: str(value) for key, value in (service.get("sysctls") or {}).items()}
    return {
        "namespaces": [{"type": each} for each in kinds],
        "sysctl": settings,
        "maskedPaths": list(_MASKED),
        "readonlyPaths": list(_READ_ONLY),
        "seccomp": seccomp.profile(granted),
    }
