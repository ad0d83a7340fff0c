"""The life of machines: made of a tree, launched, killed, taken away."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cache
import cgroup
import guest
import host
import memory
import store
from failure import Failure
from guest import Machine

HERE = Path(__file__).resolve().parent

# Engines keep layers there and put overlays on top of them, which an overlay cannot carry; so does
# what crun runs in /var/lib/sockwake. In the order in which they are mounted.
REAL = {
    "lib": "/var/lib",
    "docker": "/var/lib/docker",
    "containers": "/var/lib/containers",
    "home": "/home",
    "srv": "/srv",
}
ENGINES = ("docker", "containers")

NSPAWN = [
    "--boot",
    "--quiet",
    "--settings=no",
    "--register=no",
    "--keep-unit",
    "--private-network",
    "--capability=all",
    # Beyond nspawn's usual filter: what container engines need, and pidfd_getfd(2).
    "--system-call-filter=add_key keyctl bpf perf_event_open pidfd_getfd",
    "--console=read-only",
    "--link-journal=no",
    "--resolv-conf=off",
    "--timezone=off",
]

LOCK_TIMEOUT_S = 30.0


def create(
    machine: Machine,
    tree: Path,
    docker: Path | None,
    binds: list[str],
    options: list[str] | None = None,
    *,
    as_it_is: bool = False,
    in_memory: bool = False,
) -> int:
    """Make a fresh machine that is down. Returns its lock; what remains on failure is stale.

    as_it_is: the machine finds the tree unchanged, without a name, an identity or an engine of it.
    options: more of systemd-nspawn. in_memory: its disk is there, if there is room.
    """
    sweep()
    with _registry():
        if (status := machine.status()) != "absent":
            hint = f"take it away: machine stop {machine.name}"
            raise Failure(f"machine '{machine.name}' exists already and is {status}", hint)
        machine.state.mkdir()
        lock = _lock(machine)
    place = tree if as_it_is else tree.name
    (machine.state / "tree").write_text(f"{place}\n")
    (machine.state / "binds").write_text("".join(f"{bind}\n" for bind in binds))
    (machine.state / "options").write_text("".join(f"{option}\n" for option in options or ()))
    (machine.state / "cgroup").write_text(f"{cgroup.top() / guest.unit(machine.name)}\n")
    (machine.state / "root").mkdir()
    seeds: list[tuple[str, Path | None]] = []
    if not as_it_is:
        seeds.append(("upper/etc", _etc(machine)))
    if any(option.startswith("--volatile") for option in options or ()):
        places = []  # whose point is that these folders begin empty
    else:
        places = [name for name in REAL if not as_it_is or name not in ENGINES]
    for name in places:
        seed = docker if name == "docker" else tree / REAL[name].lstrip("/")
        seeds.append((f"real/{name}", seed if seed and seed.is_dir() else None))
    (machine.state / "places").write_text("".join(f"{name}\n" for name in places))
    if in_memory and memory.has_room():
        memory.make(machine, seeds)
        return lock
    for name in guest.WRITTEN:
        (machine.state / name).mkdir()
    for target, source in seeds:
        _seed(source, machine.state / target)
    return lock


def _etc(machine: Machine) -> Path:
    """A folder with a new machine's name and identity."""
    etc = machine.state / "etc"
    etc.mkdir()
    (etc / "hostname").write_text(f"{machine.name}\n")
    (etc / "hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {machine.name}\n::1 localhost\n")
    (etc / "machine-id").write_text(f"{uuid.uuid4().hex}\n")
    return etc


def reopen(machine: Machine) -> int:
    """The lock of a machine that is down, for launch()."""
    with _registry():
        status = machine.status()
        if status == "absent":
            raise Failure(f"there is no machine '{machine.name}'")
        if status == "running":
            raise Failure(f"machine '{machine.name}' is running already")
        return _lock(machine)


def launch(machine: Machine, lock: int, parent: int | None) -> None:
    """Start the keeper of a machine that is down; the guest is up some time after."""
    host.need("systemd-nspawn")
    tree = (machine.state / "tree").read_text().strip()
    held = cache.held(store.folder() / "trees" / tree)
    if held is None:
        raise Failure(f"tree '{tree}' of machine '{machine.name}' is gone")
    (machine.state / "ended").unlink(missing_ok=True)
    argv = [sys.executable, "-ISB", str(HERE / "keeper.py"), str(machine.state)]
    argv += [str(-1 if parent is None else parent), *NSPAWN, f"--machine={machine.name}"]
    real = machine.state / "real"
    argv += [f"--bind={real}/{name}:{REAL[name]}" for name in machine.places]
    binds = (machine.state / "binds").read_text().splitlines()
    argv += [f"--bind-ro={bind}" for bind in binds]
    argv += (machine.state / "options").read_text().splitlines()
    if Path("/run/systemd/system").is_dir():
        scope = ["systemd-run", "--scope", "--quiet", "--collect", "--property=Delegate=yes"]
        argv = [*scope, f"--unit={guest.unit(machine.name)}.scope", "--", *argv]
    inherited = [lock, held] if parent is None else [lock, held, parent]
    with machine.console.open("ab") as console:
        subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            start_new_session=True,
            pass_fds=inherited,
        )
    for descriptor in inherited:
        os.close(descriptor)


def cut_power(machine: Machine, timeout_s: float = LOCK_TIMEOUT_S) -> None:
    """Kill every process of the machine at once and wait until its keeper is done."""
    deadline = time.monotonic() + timeout_s
    while machine.status() == "running":
        cgroup.kill(machine.home / "guest")
        if time.monotonic() > deadline:
            raise Failure(f"waited {timeout_s:.0f} s for the end of machine '{machine.name}'")
        time.sleep(0.01)


def take_away(machine: Machine) -> None:
    """Remove a machine with everything that was in it, killing it first if it is up."""
    while (status := machine.status()) != "absent":
        if status == "running":
            cut_power(machine)
        _remove_if(machine, ("stopped", "stale"))


def sweep(statuses: tuple[str, ...] = ("stale",)) -> None:
    """Remove machines that are down, and what dead ones of this cache left elsewhere."""
    for machine in guest.every():
        _remove_if(machine, statuses)
    with _registry():
        for path in _left_in(cgroup.top()):
            cgroup.remove_empty(path)
        for path in _left_in(memory.PLACE):
            path.unlink(missing_ok=True)
    for path in (store.folder() / "machines").glob(".gone-*"):
        guest.remove(path)


def _left_in(folder: Path) -> Iterator[Path]:
    """What machines that are no more have left there: under unit(), perhaps with a dot and more."""
    prefix = guest.unit("")
    for path in folder.glob(f"{prefix}*"):
        if Machine(path.name.removeprefix(prefix).partition(".")[0]).status() == "absent":
            yield path


def _remove_if(machine: Machine, statuses: tuple[str, ...]) -> None:
    """Remove a machine if its status is one of these, which cannot change meanwhile."""
    with _registry():
        if machine.status() not in statuses:
            return
        with contextlib.suppress(FileNotFoundError):
            cgroup.remove(machine.home)
        # Gone at once under its name; a removal that is killed half way is swept up later.
        gone = machine.state.with_name(f".gone-{machine.name}-{os.getpid()}")
        machine.state.rename(gone)
    guest.remove(gone)


def _lock(machine: Machine) -> int:
    """Take the lock for making or keeping the machine."""
    descriptor = os.open(machine.state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    # A process that only looks holds a shared lock for a moment.
    while not store.try_lock(descriptor, fcntl.LOCK_EX):
        if time.monotonic() > deadline:
            raise Failure(f"machine '{machine.name}' is busy")
        time.sleep(0.005)
    return descriptor


@contextmanager
def _registry() -> Iterator[None]:
    """Hold the lock for making and removing machines."""
    path = store.folder() / "machines" / ".lock"
    with store.locked(path, "others to make or remove machines", LOCK_TIMEOUT_S):
        yield


def _seed(source: Path | None, target: Path) -> None:
    """Fill a folder of a new machine from the cache."""
    if source is None:
        target.mkdir()
        return
    target.mkdir(mode=source.stat().st_mode & 0o7777)
    for entry in source.iterdir():
        # An engine never writes into a layer it has: links cost neither time nor room.
        if entry.name == "overlay2" and _linkable(source, target):
            _copy("--link", entry, target)
        else:
            _copy("--reflink=auto", entry, target)


def _linkable(source: Path, target: Path) -> bool:
    """Whether files can be linked. One filesystem can be mounted twice: only trying tells."""
    sample = next(path for path in source.rglob("*") if path.is_file())
    probe = target / ".probe"
    try:
        os.link(sample, probe)
    except OSError:
        return False
    probe.unlink()
    return True


def _copy(how: str, entry: Path, target: Path) -> None:
    argv = ["cp", "--archive", how, str(entry), str(target)]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"cannot copy {entry}: {done.stderr.splitlines()[0]}")
