"""Checks of the package in a tree, and of the programs that a wake runs."""

import re
from collections.abc import Iterator

from sockwake.admin import version
from sockwake.admin.show.baked.subject import Baked
from sockwake.admin.show.doctor.finding import Finding
from sockwake.errors import SockwakeError
from sockwake.kinds.table import CRUN, ENGINE, HOST
from sockwake.system import process

_STATUS, _LONGEST_STATUS = "/var/lib/dpkg/status", 64 << 20  # characters
_STANZA = re.compile(r"^Package: sockwake\n(?:.+\n)*", re.MULTILINE)
_OURS = (
    "/usr/lib/systemd/system/pg-proxy@.socket",
    "/usr/lib/systemd/system-generators/sockwake-generator",
    "/usr/libexec/sockwake/proxy",
)
_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
# program, or path, and the package that has it, by what wakes an instance
_ANY = (
    ("/usr/lib/systemd/systemd-socket-proxyd", "systemd"),
    ("/usr/bin/python3", "python3"),
    ("flock", "util-linux"),
)
_NEEDED = {
    CRUN: (
        ("crun", "crun"),
        ("cmp", "diffutils"),
        ("ip", "iproute2"),
        ("umount", "mount"),
        ("unshare", "util-linux"),
        ("/usr/share/containers/seccomp.json", "golang-github-containers-common"),
    ),
    ENGINE: (),
    HOST: (("mount", "mount"),),
}
_ENGINES = {"docker": ("dockerd", "docker.io"), "podman": ("podman", "podman")}


def package(subject: Baked) -> Iterator[Finding]:
    """A tree without sockwake, or with an older one than made the instances."""
    tree = subject.tree
    if missing := [path for path in _OURS if not tree.has_file(path)]:
        yield Finding(
            f"sockwake is not installed in it: there is no {tree.shown(missing[0])}",
            "apt install sockwake, in the tree",
        )
        return
    found = _STANZA.search(tree.text(_STATUS, _LONGEST_STATUS))
    fields = dict(re.findall(r"^(Status|Version): (.*)$", found[0], re.MULTILINE) if found else ())
    state = fields.get("Status", "")
    if state and not state.endswith(" ok installed"):
        yield Finding(
            f"dpkg has not finished the installation of sockwake in it: {state}",
            f"chroot {tree.root or '/'} dpkg --configure --pending",
        )
    theirs, ours = fields.get("Version", ""), _own_version()
    if theirs and ours and _is_older(theirs, ours):
        yield Finding(
            f"it has sockwake {theirs}, which may not understand what sockwake {ours} makes",
            f"install sockwake {ours} or later in it",
        )


def programs(subject: Baked) -> Iterator[Finding]:
    """A program that a wake runs and that is not in the tree."""
    needed: dict[tuple[str, str], list[str]] = {}
    for instance, settings in subject.valid():
        wanted = [*_ANY, *_NEEDED[settings.runtime]]
        wanted += [_ENGINES[settings.engine]] if settings.needs_engine else []
        for each in wanted:
            needed.setdefault(each, []).append(instance.name)
    for (program, source), instances in needed.items():
        if not _has(subject, program):
            yield Finding(
                f"there is no {program} in it, without which {_several(instances)} cannot be woken",
                f"apt install {source}, in the tree",
            )


def _has(subject: Baked, program: str) -> bool:
    if program.startswith("/"):
        return subject.tree.has_file(program)
    return any(subject.tree.has_program(f"{place}/{program}") for place in _PATH)


def _own_version() -> str:
    """The version of this program, "" where neither dpkg nor its sources can tell."""
    try:
        return version.find()
    except SockwakeError:
        return ""


def _is_older(one: str, other: str) -> bool:
    try:
        process.run(["dpkg", "--compare-versions", one, "lt", other])
    except SockwakeError:
        return False
    return True


def _several(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if names[5:] else ""
    return f"{', '.join(names[:5])}{more}"
