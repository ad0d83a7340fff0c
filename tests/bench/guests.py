"""The guests of the bench: booted, with the package installed, and always removed."""

from __future__ import annotations

import os
import select
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent
MACHINE = str(CHECKOUT / "tests/machine/machine")
BENCH = "/src/tests/bench"
TIMEOUT_S = 2400.0
ANSWER_TIMEOUT_S = 180.0  # opening a thousand sockets on a busy machine takes a minute
# A Debian on a machine of its own has at most binfmt_misc below /proc. nspawn has mounted a dozen
# there, each of which every sandbox takes away again, and waits for RCU. And its daemon-reload runs
# systemd's own generators, which the tests are spared.
_LIKE_A_MACHINE = """\
for place in $(findmnt --raw --noheadings --output TARGET | grep ^/proc/ | tac); do
	umount --lazy "$place" 2>/dev/null || :
done
if findmnt --raw --noheadings --output TARGET | grep ^/proc/; then exit 1; fi
rm -r /etc/systemd/system-generators
"""
RELOADED = ("sockwake", "bare")


class GuestError(Exception):
    """A command for a guest failed; its stderr says why."""


@contextmanager
def guest(role: str, deb: Path) -> Iterator[str]:
    """The name of a machine with the package installed."""
    name = f"bench-{os.getpid()}-{role}"
    try:
        run([MACHINE, "boot", name, "--with-parent", "--bind-ro", f"{CHECKOUT}:/src"])
        run([MACHINE, "push", name, str(deb), "/root"])
        install = f"apt-get install --yes --quiet /root/{deb.name}"
        log = "/root/install.log"
        inside(name, "sh", "-c", f"{install} >{log} 2>&1 || {{ cat {log} >&2; exit 1; }}")
        inside(name, "sh", "-c", _LIKE_A_MACHINE)
        yield name
    finally:
        subprocess.run(
            [MACHINE, "stop", name],
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def inside(name: str, *command: str) -> str:
    """The output of a command in the guest."""
    return run([MACHINE, "run", name, "--", *command])


def run(command: list[str]) -> str:
    """The stdout of a command, whose stderr is ours; raises GuestError."""
    try:
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise GuestError(f"'{' '.join(command)}' took longer than {TIMEOUT_S:.0f} s") from None
    if done.returncode:
        raise GuestError(f"'{' '.join(command)}' failed with status {done.returncode}")
    return done.stdout


def give_reflink(name: str) -> None:
    """Give a guest an empty file system whose files can share their blocks, as a file."""
    with tempfile.TemporaryDirectory() as folder:
        make = "truncate --size=4G disk && mkfs.btrfs --quiet --metadata single disk"
        pack = "tar --create --sparse --gzip --file=reflink.tar.gz disk"
        command = f"cd /out && {make} && {pack}"
        run([MACHINE, "chroot", "kernel", "--bind", f"{folder}:/out", "--", "sh", "-c", command])
        run([MACHINE, "push", name, f"{folder}/reflink.tar.gz", "/root"])


def reload_in_turns(deb: Path, count: int, rounds: int) -> dict[str, object]:
    """Milliseconds of daemon-reloads with `count` sockets of each sort, two guests in turns."""
    with guest("sockwake", deb) as first, guest("bare", deb) as second:
        servers = {
            sort: _serve(name, sort, count)
            for sort, name in zip(RELOADED, (first, second), strict=True)
        }
        try:
            for server in servers.values():
                _answer(server)
            samples: dict[str, list[float]] = {sort: [] for sort in RELOADED}
            for number in range(rounds + 1):
                for sort, server in servers.items():
                    took = float(_answer(server, "reload\n"))
                    if number:
                        samples[sort].append(took)
        except BrokenPipeError:
            raise GuestError("a guest for daemon-reload has gone") from None
        finally:
            for server in servers.values():
                server.kill()
                server.wait()
    return {"samples": samples, "count": count}


def _serve(name: str, sort: str, count: int) -> subprocess.Popen[str]:
    program = ["python3", "-B", f"{BENCH}/reload.py", sort, str(count)]
    command = [MACHINE, "run", "--input", name, "--", *program]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _answer(server: subprocess.Popen[str], order: str = "") -> str:
    """The next line of a server, behind an order."""
    assert server.stdin is not None and server.stdout is not None
    server.stdin.write(order)
    server.stdin.flush()
    if not select.select([server.stdout], [], [], ANSWER_TIMEOUT_S)[0]:
        raise GuestError(
            f"the guest for daemon-reload has not answered in {ANSWER_TIMEOUT_S:.0f} s"
        )
    if not (line := server.stdout.readline()):
        raise GuestError(f"the guest for daemon-reload ended with status {server.wait()}")
    return line
