"""The programs of an image, run once in a container of crun's; beside them an older image's."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from sockwake.config.instance import Instance
from sockwake.errors import SockwakeError
from sockwake.lifecycle.passing import PLACES, Passing, Place, Run
from sockwake.oci import accounts, bundle, command, mounts, rootfs, spec
from sockwake.oci.bundle import Bundle
from sockwake.oci.store import Image
from sockwake.postgres import host_server
from sockwake.system import files

_SERVICE: dict[str, Any] = {"network_mode": "none", "shm_size": f"{256 << 20}"}
_PASSWD = "/etc/passwd"
_CHROOT = "CAP_SYS_CHROOT"
# For pg_upgrade, with the programs that it runs of the older version. It must not be process 1: it
# would take orphans of the servers for its jobs, and go on before those have done anything.
_SCRIPT = """
for each in initdb pg_controldata pg_ctl pg_resetwal postgres; do
	printf '#!/bin/sh\\nexec chroot %s %s/%s "$@"\\n' "$1" "$2" "$each" >"$3/$each"
	chmod 0755 "$3/$each"
done
shift 3
"$@"
"""
_DEVICES = ("null", "zero", "urandom")  # what the older image's programs open


class InImage(Passing):
    """With the programs of an image. older: another image, with the programs of an older version.

    Its file system is at OLDER, and its programs are run there by chroot(1), so with their own C
    library, locales and extensions; the container has that one capability then. OLDER_PROGRAMS is
    the directory in which each has the script that does so, for pg_upgrade(1) to call.
    """

    OLDER = "/run/older"
    OLDER_PROGRAMS = "/run/older-programs"

    def __init__(
        self,
        instance: Instance,
        purpose: str,
        image: Image,
        major: int,
        older: Image | None = None,
        older_major: int = 0,
    ) -> None:
        super().__init__(instance, purpose, major)
        self._image = image
        self._older = older
        self._older_major = older_major
        self._name = f"{instance.name}_programs"  # no Name has a "_" in it

    def program(self, name: str) -> str:
        return _program(self._image, name, self.major)

    def unit_of(self, run: Run, words: Sequence[str]) -> tuple[list[str], list[str]]:
        root = self._image.rootfs
        if self._older:
            server = _program(self._older, "postgres", self._older_major)
            told = [self.OLDER, os.path.dirname(server), self.OLDER_PROGRAMS]
            words = ["/bin/sh", "-euc", _SCRIPT, "sh", *told, *words]
        made = spec.spec(
            _SERVICE,
            self._image.config,
            root,
            name=self.instance.name,
            args=words,
            user=accounts.owner(root, *run.owner),
            granted=[_CHROOT] if self._older else [],
            new_privileges=False,
            environment={"LC_ALL": "C"},
            writable=spec.MEMORY,
        )
        if run.cwd:
            made["process"]["cwd"] = self.seen(run.cwd)
        more = [*self._binds(run.every_place, ""), *self._passwd(self._image, run.owner, "")]
        if self._older:
            for kind in ("effective", "permitted", "inheritable", "ambient"):
                made["process"]["capabilities"][kind] = [_CHROOT]
            more += self._older_root(self._older, run)
        made["mounts"] = mounts.ordered(root, [*made["mounts"], *more])
        place = f"{self.directory}/bundle"
        bundle.write_passing(place, Bundle(made, spec.etc_files(_SERVICE, self.instance.name)))
        return ["DevicePolicy=closed"], [*self._crun(), "run", "--bundle", place, self._name]

    def beside(self, program: str, door: Place, owner: tuple[int, int]) -> list[str]:
        variables = command.variables_of(_SERVICE, self._image.config)
        into = ["exec", "--user", f"{owner[0]}:{owner[1]}", "--env", f"PATH={variables['PATH']}"]
        host = f"--host={self.seen(door)}"
        return [*self._crun(), *into, self._name, self.program(program), host]

    def _crun(self) -> list[str]:
        return ["crun", "--cgroup-manager=disabled", "--root", f"{self.directory}/crun"]

    def _binds(self, places: Sequence[Place], at: str) -> list[mounts.Mount]:
        made = {}
        for place in sorted(places, key=lambda each: each.is_writable):  # that counts
            target = at + (place.at or f"{PLACES}{place.path}")
            made[target] = mounts.bind(place.path, target, writable=place.is_writable)
        return list(made.values())

    def _passwd(self, image: Image, owner: tuple[int, int], at: str) -> list[mounts.Mount]:
        """/etc/passwd with the owner in it: PostgreSQL's programs look their user up."""
        text = rootfs.text(image.rootfs, _PASSWD)
        if any(line.split(":")[2:3] == [f"{owner[0]}"] for line in text.splitlines()):
            return []
        path = f"{self.directory}/passwd{'-older' if at else ''}"
        added = f"cluster:x:{owner[0]}:{owner[1]}::/tmp:/bin/sh\n"
        files.write_new(path, 0o644, text + ("" if text.endswith("\n") else "\n") + added)
        return [mounts.bind(path, f"{at}{_PASSWD}", writable=False)]

    def _older_root(self, image: Image, run: Run) -> list[mounts.Mount]:
        """The file system of an older image with what its programs need in there."""
        at = self.OLDER
        made = [mounts.bind(image.rootfs, at, writable=False)]
        made.append(mounts.memory(self.OLDER_PROGRAMS, "mode=1777", "exec"))
        made += [mounts.memory(f"{at}{each}", "mode=1777") for each in (*spec.MEMORY, "/dev")]
        made += [mounts.bind(f"/dev/{each}", f"{at}/dev/{each}") for each in _DEVICES]
        made += [mounts.memory(f"{at}/dev/shm", "mode=1777", f"size={_SERVICE['shm_size']}")]
        return [*made, *self._binds(run.every_place, at), *self._passwd(image, run.owner, at)]


def _program(image: Image, name: str, major: int) -> str:
    """The path of a program of PostgreSQL's in an image; raises SockwakeError.

    Of Debian it is beside the server, and what is in PATH a script; of other images it is in PATH.
    """
    path = command.variables_of(_SERVICE, image.config)["PATH"]
    try:
        return rootfs.program(image.rootfs, name, f"{host_server.binaries(major)}:{path}")
    except SockwakeError:
        raise SockwakeError(f"image {image} has no {name} in it") from None
