"""Each ring of tests: what it runs, and where."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from children import Run, in_parallel

HERE = Path(__file__).resolve().parent
MACHINE = str(HERE / "machine/machine")
CNPG = HERE.parent.parent / "shared/cnpg"  # CloudNativePG's definitions
GUESTS = 4  # most of a test is waiting for something to end
# files that wait for minutes begin first, while the other rings have the processors; then by size
WAITING = ("test_vanished", "test_hung", "test_aimed", "test_health_checks")
REBOOTED = "test_reboot"
ALONE = (REBOOTED, "test_package")  # others would run after what is done to their machine
BUNDLE = 9000  # bytes of small files for one call of pytest, each of which takes two seconds
BOOTS = {  # in this order
    "nothing": [],
    "reboot": [["reboot"]],
    "power cut": [["kill"], ["start", "--with-parent"]],
}
CLOCK = "test_clock"  # sets the clock, and so needs a machine that does not share this host's
# what takes controllers, memory and file systems of its own, or a part of a file that does
OWN_KERNEL = "test_own_kernel"
LIMITS = (
    "test_isolation.py::test_a_limit_of_the_service_bites",
    "test_change.py::test_a_limit_bites",
)
MYPY = Path(os.environ.get("MACHINE_CACHE") or "/var/cache/test-machine") / "mypy"  # its cache
MADE = ["--with-parent", "--in-memory"]  # how machines are booted
SHORT = ["--quiet", "--no-header"]  # of pytest
QUIET = "DEBIAN_FRONTEND=noninteractive"
INSTALL = f"""\
{QUIET} apt install -y "$0" > /run/apt.log 2>&1 || {{ cat /run/apt.log; exit 2; }}; exec "$@"
"""
REPORTS = {  # of the rings that are one call of pytest
    "pure": "pure/pure.xml",
    "forky": "forky/pure.xml",
    "machine": "machine.xml",
    "images": "images.xml",
    "clock": "clock/system.xml",
    "browser": "browser/browser.xml",
}


def pure(run: Run, settings: list[str], arguments: list[str]) -> None:
    """Ring 1, in a clean Debian's Python."""
    MYPY.mkdir(parents=True, exist_ok=True)
    view = ["--wheels", str(HERE / "pure/linters.txt"), "--bind", f"{MYPY}:/var/cache/mypy"]
    if CNPG.is_dir():  # not part of the project, and not needed for the rest
        view += ["--bind", f"{CNPG}:/shared/cnpg"]
    rules(run, "pure", "toolbox", view, settings, arguments)


def rules(
    run: Run, ring: str, tree: str, view: list[str], settings: list[str], arguments: list[str]
) -> None:
    """tests/pure in a view of a tree."""
    out = run.reports / ring
    out.mkdir()
    pytest = "/usr/bin/python3 -B -m pytest -p no:cacheprovider --rootdir=/src".split()
    command = ["env", *settings, *pytest, "--junit-xml=/reports/pure.xml", "/src/tests/pure"]
    binds = ["--bind", f"{HERE.parent}:/src", "--bind", f"{out}:/reports"]
    argv = [MACHINE, "chroot", *binds, *view, tree, "--", *command, *arguments]
    try:
        status = run.stream(ring, argv)
    finally:
        forget_compiled()
    has_reported(run, ring, status)


def forget_compiled() -> None:
    """Remove what Python has compiled beside the sources: programs that run in place write it."""
    for folder in [*HERE.parent.rglob("__pycache__")]:
        shutil.rmtree(folder, ignore_errors=True)


def forky(run: Run, deb: Path, files: list[Path], arguments: list[str], *, whole: bool) -> None:
    """Files of ring 2 in machines of the next Debian.

    whole: also ring 1 there, without its linters: its Python, its systemd, its debhelper.
    """
    jobs: list[Callable[[], None]] = [
        partial(system, run, deb, files, [], arguments, tree="guest-forky")
    ]
    if whole:
        jobs.append(partial(rules, run, "forky", "forky", [], [], arguments))
    in_parallel(jobs, run)


def machine(run: Run, arguments: list[str]) -> None:
    """The machines themselves, on this host: these tests boot their own."""
    # minutes on a new host, which no test has to wait for
    run.must("machine", [MACHINE, "build", "guest", "toolbox"])
    folder = HERE / "machine"
    pytest = "/usr/bin/python3 -IB -m pytest -p no:cacheprovider".split()
    report = f"--junit-xml={run.reports / REPORTS['machine']}"
    argv = [*pytest, f"--rootdir={HERE.parent}", report, str(folder), *arguments]
    status = run.stream("machine", argv)
    has_reported(run, "machine", status)


def images(run: Run, deb: Path, settings: list[str], arguments: list[str]) -> None:
    """Images that the examples make, and machines that boot from them; on this host, too."""
    folder = HERE / "images"
    pytest = "/usr/bin/python3 -IB -m pytest -p no:cacheprovider".split()
    environment = ["env", f"SOCKWAKE_DEB={deb.resolve()}", *settings]
    report = f"--junit-xml={run.reports / REPORTS['images']}"
    root = f"--rootdir={HERE.parent}"
    argv = [*environment, *pytest, root, report, str(folder), *SHORT, *arguments]
    status = run.stream("images", argv)
    has_reported(run, "images", status)


def has_ended_well(what: str, status: int) -> None:
    """RuntimeError unless pytest came to its end: 0 passed, 1 failed, 5 none selected."""
    if status not in (0, 1, 5):
        raise RuntimeError(f"{what} ended with status {status}")


def has_reported(run: Run, ring: str, status: int) -> None:
    """RuntimeError unless pytest came to its end and said what it found."""
    has_ended_well(f"the {ring} ring", status)
    if not (run.reports / REPORTS[ring]).is_file():
        raise RuntimeError(f"the {ring} ring left no report and ended with status {status}")


@dataclass(frozen=True)
class Guest:
    """A machine that runs files of ring 2, one after the other."""

    run: Run
    label: str
    deb: Path
    settings: list[str]
    arguments: list[str]
    tree: str

    @property
    def name(self) -> str:
        return f"{self.label}-{os.getpid()}"

    def work(self, todo: queue.SimpleQueue[list[Path]]) -> None:
        """Boot, install the package, and run files until none is left."""
        try:
            view = f"{HERE.parent}:/src"
            self._must("boot", "--guest", self.tree, *MADE, "--bind-ro", view, self.name)
            self._must("push", self.name, str(self.deb), "/root")
            apt = ["env", QUIET, "apt", "install", "-y", f"/root/{self.deb.name}"]
            self._must("run", self.name, "--", *apt)
            with contextlib.suppress(queue.Empty):
                while True:
                    self._files(todo.get_nowait())
        finally:
            subprocess.run([MACHINE, "stop", self.name], check=False, stdin=subprocess.DEVNULL)

    def _must(self, *arguments: str) -> None:
        self.run.must(self.label, [MACHINE, *arguments])

    def _files(self, files: list[Path]) -> None:
        """Run files once; test_reboot again after each thing that it wants done to its machine."""
        if files[0].stem != REBOOTED:
            self._call(files)
            return
        for boot, verbs in BOOTS.items():
            for verb in verbs:
                # not must: it complains of a unit that is to fail in this boot
                self.run.stream(self.label, [MACHINE, *verb, self.name])
            self._call(files, f"SOCKWAKE_BOOT={boot}")

    def _call(self, files: list[Path], *settings: str) -> None:
        first = files[0].stem
        kept = f"{self.tree}-{first}"
        times = len(list(self.run.reports.glob(f"{kept}*.xml")))
        out = f"/var/tmp/{first}{times or ''}"
        environment = [
            f"AUTOPKGTEST_ARTIFACTS={out}",
            "SOCKWAKE_CLUSTERS=/root/clusters",
            f"SOCKWAKE_DEB=/root/{self.deb.name}",
            *self.settings,
            *settings,
        ]
        names = [f"tests/system/{file.name}" for file in files]
        pytest = ["/src/debian/tests/system", *names, *SHORT, *self.arguments]
        command = ["env", *environment, *pytest]
        status = self.run.stream(self.label, [MACHINE, "run", self.name, "--", *command])
        has_ended_well(" ".join(file.stem for file in files), status)
        if status != 5:
            report = self.run.reports / f"{kept}{times or ''}.xml"
            self._must("pull", self.name, f"{out}/system.xml", str(report))


def bundled(files: list[Path]) -> list[list[Path]]:
    """The files in the order of their turns, small ones together for one call of pytest."""
    bundles: list[list[Path]] = []
    room = 0
    for file in sorted(files, key=lambda file: (file.stem not in WAITING, -file.stat().st_size)):
        size = file.stat().st_size
        is_alone = file.stem in (*WAITING, *ALONE)
        if is_alone or size > room:
            bundles.append([file])
            room = 0 if is_alone else BUNDLE - size
        else:
            bundles[-1].append(file)
            room -= size
    return bundles


def system(
    run: Run,
    deb: Path,
    files: list[Path],
    settings: list[str],
    arguments: list[str],
    tree: str = "guest",
) -> None:
    """Ring 2, in machines side by side; each takes the next file when it is done with one."""
    todo: queue.SimpleQueue[list[Path]] = queue.SimpleQueue()
    bundles = bundled(files)
    for bundle in bundles:
        todo.put(bundle)
    place = "system" if tree == "guest" else tree.removeprefix("guest-")
    labels = [f"{place}-{number}" for number in range(1, min(GUESTS, len(bundles)) + 1)]
    guests = [Guest(run, label, deb, settings, arguments, tree) for label in labels]
    in_parallel([partial(guest.work, todo) for guest in guests], run)


def clock(run: Run, deb: Path, arguments: list[str]) -> None:
    """What takes a kernel and a clock of its own: it sets the clock, or has little memory."""
    out = run.reports / "clock"
    out.mkdir()
    folders = (f"{HERE.parent}:/src", f"{out}:/reports", f"{deb.resolve().parent}:/deb")
    binds = [word for folder in folders for word in ("--bind", folder)]
    environment = [
        "AUTOPKGTEST_ARTIFACTS=/reports",
        f"SOCKWAKE_DEB=/deb/{deb.name}",
        "SOCKWAKE_CLOCK=1",
        "SOCKWAKE_PATIENCE=180",
    ]
    chosen = [f"tests/system/{each}" for each in (f"{CLOCK}.py", f"{OWN_KERNEL}.py", *LIMITS)]
    pytest = ["/src/debian/tests/system", *chosen, *SHORT, *arguments]
    command = ["sh", "-c", INSTALL, f"/deb/{deb.name}", "env", *environment, *pytest]
    status = run.stream("clock", [MACHINE, "kernel", *binds, "--", *command])
    if status != 5:
        has_reported(run, "clock", status)


def browser(run: Run, arguments: list[str]) -> None:
    """A report as a browser shows it, and metrics as Prometheus reads them."""
    out = run.reports / "browser"
    out.mkdir()
    pytest = "/usr/bin/python3 -B -m pytest -p no:cacheprovider --rootdir=/src".split()
    report = "--junit-xml=/reports/browser.xml"
    view = ["--bind", f"{HERE.parent}:/src", "--bind", f"{out}:/reports"]
    argv = [MACHINE, "chroot", *view, "browser", "--", *pytest, report, "/src/tests/browser"]
    status = run.stream("browser", [*argv, *arguments])
    if status != 5:
        has_reported(run, "browser", status)


def soak(run: Run, deb: Path, files: list[Path], arguments: list[str]) -> None:
    """The files of ring 2 with many rounds, then the clock, and what shows a report."""
    system(run, deb, files, ["SOCKWAKE_SOAK=1"], arguments)
    images(run, deb, ["SOCKWAKE_SOAK=1"], arguments)
    clock(run, deb, arguments)
    browser(run, arguments)
