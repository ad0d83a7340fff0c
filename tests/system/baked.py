"""A machine as if it came from an image: files baked in a tree, and file systems as it has them."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from image_store import PLACE, SHIPPED
from program import must, run

ETC, STATE, UPPER = (
    Path("/etc/sockwake"),
    Path("/var/lib/sockwake"),
    Path("/var/lib/sockwake/etc.d"),
)
RUN = Path("/run/sockwake")


class Image:
    """What is baked, and how the machine boots that has it. remove() undoes all of it."""

    def __init__(self) -> None:
        self._tree = Path(tempfile.mkdtemp(prefix="baked-"))
        for folder in ("etc", "usr", "var"):
            (self._tree / folder).mkdir()
        self._names: list[str] = []
        self._mounts: list[Path] = []
        ETC.mkdir(exist_ok=True)

    def bake(self, name: str, *options: str) -> str:
        """Bake an instance with sockwake-new, and have this machine have it; what it has said."""
        root = ("--root", str(self._tree))
        said = run("sockwake-new", name, *root, "--idle", "1s", *options).expect(0)
        self._names.append(name)
        self.reset()
        must("systemctl", "daemon-reload")
        return said.err

    def reset(self) -> None:
        """Have /etc as the image has it."""
        for name in self._names:
            shutil.rmtree(ETC / name, ignore_errors=True)
            shutil.copytree(self._tree / "etc/sockwake" / name, ETC / name)

    def boot(self, *, read_only: bool = False, stateless: bool = False, etc: bool = False) -> None:
        """Have the file systems of a new boot, and open the ports.

        read_only: of the image's files. stateless: /var begins empty. etc: /etc begins anew.
        """
        self._shut_down()
        if etc:
            self._mount(ETC, "-t", "tmpfs", "-o", "mode=755", "etc")
            self.reset()
        if read_only:
            SHIPPED.mkdir(exist_ok=True)
            self._mount(SHIPPED, "--bind", "-o", "ro", str(PLACE))
            self._mount(ETC, "--bind", "-o", "ro", str(ETC))
        if stateless:
            self._mount(STATE, "-t", "tmpfs", "-o", "mode=755", "var")
        for name in self._names:
            must("systemctl", "start", f"pg-proxy@{name}.socket")

    def remove(self) -> None:
        self._shut_down()
        for left in (UPPER, self._tree):
            shutil.rmtree(left, ignore_errors=True)
        if SHIPPED.exists():
            SHIPPED.rmdir()

    def _mount(self, place: Path, *arguments: str) -> None:
        must("mount", *arguments, str(place))
        self._mounts.append(place)

    def _shut_down(self) -> None:
        for name in self._names:
            units = (f"pg-proxy@{name}.socket", f"pg-proxy@{name}.service")
            must("systemctl", "stop", *units, f"pg-postgres@{name}.service", timeout=120)
            shutil.rmtree(RUN / name, ignore_errors=True)
        if f"sockwake {ETC} overlay" in Path("/proc/mounts").read_text():  # the unit's own
            must("umount", str(ETC))
        for place in reversed(self._mounts):
            must("umount", str(place))
        self._mounts.clear()
