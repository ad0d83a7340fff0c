"""Each ring of tests: what it runs, and where."""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
from functools import partial
from pathlib import Path

from children import Run, in_parallel

HERE = Path(__file__).resolve().parent
MACHINE = str(HERE / "machine/machine")
GUESTS = 3  # most of a test is waiting for something to end
REBOOTED = "test_reboot"
BOOTS = {
    "nothing": [],
    "reboot": [["reboot"]],
    "power cut": [["kill"], ["start", "--with-parent"]],
}  # in this order
CLOCK = "test_clock"  # which it sets, and so needs a machine that does not share this host's
INSTALL = 'DEBIAN_FRONTEND=noninteractive apt install -y "$0" > /run/apt.log 2>&1 || { cat /run/apt.log; exit 2; }; exec "$@"'
REPORTS = {
    "pure": "pure/pure.xml",
    "machine": "machine.xml",
    "clock": "clock/system.xml",
}  # of the rings that are one call of pytest


def pure(run: Run, settings: list[str], arguments: list[str]) -> None:
    """Ring 1, in a clean Debian's Python."""
    out = run.reports / "pure"
    out.mkdir()
    pytest = "/usr/bin/python3 -B -m pytest -p no:cacheprovider --rootdir=/src".split()
    command = ["env", *settings, *pytest, "--junit-xml=/reports/pure.xml", "/src/tests/pure"]
    view = ["--bind", f"{HERE.parent}:/src", "--bind", f"{out}:/reports"]
    wheels = ["--wheels", str(HERE / "pure/linters.txt")]
    argv = [MACHINE, "chroot", *view, *wheels, "toolbox", "--", *command, *arguments]
    status = run.stream("pure", argv)
    has_reported(run, "pure", status)


def machine(run: Run, arguments: list[str]) -> None:
    """The machines themselves, on this host: these tests boot their own, under names nobody else uses."""
    run.must(
        "machine", [MACHINE, "build", "guest", "toolbox"]
    )  # minutes on a new host; no test has to wait for it
    folder = HERE / "machine"
    status = run.stream(
        "machine",
        [
            *"/usr/bin/python3 -IB -m pytest -p no:cacheprovider".split(),
            f"--rootdir={folder}",
            f"--junit-xml={run.reports / REPORTS['machine']}",
            str(folder),
            *arguments,
        ],
    )
    has_reported(run, "machine", status)


def has_ended_well(what: str, status: int) -> None:
    """RuntimeError unless pytest came to its end: 0 passed, 1 failed, 5 none selected."""
    if status not in (0, 1, 5):
        raise RuntimeError(f"{what} ended with status {status}")


def has_reported(run: Run, ring: str, status: int) -> None:
    """RuntimeError unless pytest came to its end and said what it found."""
    has_ended_well(f"the {ring} ring", status)
    if not (run.reports / REPORTS[ring]).is_file():
        raise RuntimeError(f"the {ring} ring left no report and ended with status {status}")


def system(
    run: Run, deb: Path, files: list[Path], settings: list[str], arguments: list[str]
) -> None:
    """Ring 2, in machines side by side; each takes the next file when it is done with one."""
    todo: queue.SimpleQueue[Path] = queue.SimpleQueue()
    for file in sorted(files, key=lambda file: -file.stat().st_size):
        todo.put(file)
    count = min(GUESTS, len(files))
    in_parallel(
        [
            partial(_guest, run, f"system-{number}", deb, todo, settings, arguments)
            for number in range(1, count + 1)
        ],
        run,
    )


def _guest(
    run: Run,
    label: str,
    deb: Path,
    todo: queue.SimpleQueue[Path],
    settings: list[str],
    arguments: list[str],
) -> None:
    name = f"sys-{os.getpid()}-{label[-1]}"
    try:
        run.must(
            label, [MACHINE, "boot", "--with-parent", "--bind-ro", f"{HERE.parent}:/src", name]
        )
        run.must(label, [MACHINE, "push", name, str(deb), "/root"])
        run.must(
            label,
            [
                MACHINE,
                "run",
                name,
                *"-- env DEBIAN_FRONTEND=noninteractive apt install -y".split(),
                f"/root/{deb.name}",
            ],
        )
        with contextlib.suppress(queue.Empty):
            while True:
                file = todo.get_nowait()
                _file(run, label, name, deb, file, settings, arguments)
    finally:
        subprocess.run([MACHINE, "stop", name], check=False, stdin=subprocess.DEVNULL)


def _file(
    run: Run,
    label: str,
    guest: str,
    deb: Path,
    file: Path,
    settings: list[str],
    arguments: list[str],
) -> None:
    """Once, or again after each thing that this file wants done to its machine."""
    if file.stem != REBOOTED:
        _call(run, label, guest, deb, file, settings, arguments)
        return
    for boot, verbs in BOOTS.items():
        for verb in verbs:
            run.stream(
                label, [MACHINE, *verb, guest]
            )  # it complains of a unit that is to fail in this boot
        _call(run, label, guest, deb, file, [*settings, f"SOCKWAKE_BOOT={boot}"], arguments)


def _call(
    run: Run,
    label: str,
    guest: str,
    deb: Path,
    file: Path,
    settings: list[str],
    arguments: list[str],
) -> None:
    times = len(list(run.reports.glob(f"{file.stem}*.xml")))
    out = f"/var/tmp/{file.stem}{times or ''}"
    status = run.stream(
        label,
        [
            MACHINE,
            "run",
            guest,
            "--",
            "env",
            f"AUTOPKGTEST_ARTIFACTS={out}",
            "SOCKWAKE_CLUSTERS=/root/clusters",
            f"SOCKWAKE_DEB=/root/{deb.name}",
            *settings,
            "/src/debian/tests/system",
            f"tests/system/{file.name}",
            "--quiet",
            "--no-header",
            *arguments,
        ],
    )
    has_ended_well(file.stem, status)
    if status != 5:
        run.must(
            label,
            [
                MACHINE,
                "pull",
                guest,
                f"{out}/system.xml",
                str(run.reports / f"{file.stem}{times or ''}.xml"),
            ],
        )


def clock(run: Run, deb: Path, arguments: list[str]) -> None:
    """What sets the clock, in a machine with one of its own: by itself, as that is slow."""
    out = run.reports / "clock"
    out.mkdir()
    binds = [
        word
        for bind in (f"{HERE.parent}:/src", f"{out}:/reports", f"{deb.resolve().parent}:/deb")
        for word in ("--bind", bind)
    ]
    command = [
        "sh",
        "-c",
        INSTALL,
        f"/deb/{deb.name}",
        "env",
        "AUTOPKGTEST_ARTIFACTS=/reports",
        f"SOCKWAKE_DEB=/deb/{deb.name}",
        *"SOCKWAKE_CLOCK=1 SOCKWAKE_PATIENCE=180 /src/debian/tests/system".split(),
        f"tests/system/{CLOCK}.py",
        "--quiet",
        "--no-header",
    ]
    status = run.stream("clock", [MACHINE, "kernel", *binds, "--", *command, *arguments])
    if status != 5:
        has_reported(run, "clock", status)


def soak(run: Run, deb: Path, files: list[Path], arguments: list[str]) -> None:
    """What takes long in ring 2, and then the clock."""
    system(run, deb, files, ["SOCKWAKE_SOAK=1"], arguments)
    clock(run, deb, arguments)
