"""Run a command in a machine with a kernel and a clock of its own: user-mode Linux, a process.

Its disk is the guest's tree with Docker's images, made once. The rest is in the tree 'kernel':
make-disk, boot-disk, and below /usr/share/disk what is added to the guest's tree.
"""

from __future__ import annotations

import hashlib
import os
import re
import selectors
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path

import cache
import leash
import preload
import recipe
from failure import Failure

# Half a minute is usual.
BOOT_TIMEOUT_S = 180.0

# mem= of boot-disk, and what the command writes to its disk.
NEEDED_MB = 2048

# What is shown of a console when a boot fails.
TAIL = 1500


def run(command: list[str], binds: list[str]) -> int:
    """Run a command in a fresh machine, with its output to ours, and return its status.

    binds: SRC:DST, folders, writable. Machine, command and mounts end with this process.
    """
    for bind in binds:
        if not Path(bind.partition(":")[0]).is_dir():
            raise Failure(f"'{bind}' binds no folder")
    _need_memory()
    disk, tree = _disk(), cache.tree(recipe.load("kernel"))
    folders = [bind.partition(":")[2] for bind in binds]
    # The console is for the kernel alone; the two others are opened by programs inside.
    console, output, control = lines = [socket.socketpair() for _ in range(3)]
    there = [str(end.fileno()) for _, end in (output, control)]
    boot = ["boot-disk", *there, shlex.join(command), *folders]
    # Kernel and programs are processes that take turns: spread over two processors it boots in
    # 90 s, on one in 16.
    alone = ["taskset", "--cpu-list", str(max(os.sched_getaffinity(0)))]
    with subprocess.Popen(
        [*alone, *leash.in_view(tree, [f"{disk}:/disk", *binds], boot)],
        stdin=subprocess.DEVNULL,
        stdout=console[1].fileno(),
        stderr=console[1].fileno(),
        pass_fds=[output[1].fileno(), control[1].fileno()],
    ) as child:
        for _, end in lines:
            end.close()
        try:
            return _listen(child, *(here.fileno() for here, _ in lines))
        finally:
            child.kill()


def _listen(child: subprocess.Popen[bytes], console: int, output: int, control: int) -> int:
    """Pass on what the command says until everything in the machine has ended; returns its status.

    On the control come "up" and, when the command has ended, its status.
    """
    deadline = time.monotonic() + BOOT_TIMEOUT_S
    texts = {console: b"", control: b""}
    with selectors.DefaultSelector() as pipes:
        for pipe in (console, output, control):
            pipes.register(pipe, selectors.EVENT_READ)
        while pipes.get_map():
            is_up = b"\n" in texts[control]
            ready = pipes.select(None if is_up else max(deadline - time.monotonic(), 0))
            if not ready:
                said = _tail(texts[console])
                raise Failure(f"waited {BOOT_TIMEOUT_S:.0f} s for the kernel to boot: {said}")
            for key, _ in ready:
                data = _read(key.fd)
                if not data:
                    pipes.unregister(key.fd)
                elif key.fd == output:
                    sys.stdout.buffer.write(data)
                    sys.stdout.buffer.flush()
                else:
                    texts[key.fd] = (texts[key.fd] + data)[-TAIL:]
            if texts[control].count(b"\n") == 2:
                child.kill()
    if texts[control].count(b"\n") < 2:
        raise Failure(f"the machine went down: {_tail(texts[console])}")
    return int(texts[control].split()[1])


def _read(pipe: int) -> bytes:
    """What has come; nothing when the other end is gone, however it went."""
    try:
        return os.read(pipe, 65536)
    except ConnectionResetError:
        return b""


def _tail(console: bytes) -> str:
    lines = re.sub(r"\x1b\[[0-9;]*[A-Za-z]|\r", "", console.decode(errors="replace")).splitlines()
    return "its console says\n" + "\n".join(lines[-15:])


def _need_memory() -> None:
    """Failure when a machine would take more than there is: its memory is a file in a tmpfs."""
    found = re.search(r"^MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    if found and int(found[1]) < NEEDED_MB * 1024:
        raise Failure(
            f"a machine with a kernel needs {NEEDED_MB} MB of memory", "stop others first"
        )


def _disk() -> Path:
    """The folder with the file 'disk', made when there is none for the present inputs."""
    guest, kernel = recipe.load("guest"), recipe.load("kernel")
    docker = preload.docker_folder(guest)
    keys = f"{guest.key} {docker.name if docker else ''} {kernel.key}"
    key = hashlib.sha256(keys.encode()).hexdigest()[: cache.KEY_LENGTH]

    def make(target: Path) -> None:
        binds = [f"{cache.tree(guest)}:/guest", f"{docker}:/docker", f"{target}:/out"]
        done = subprocess.run(
            leash.in_view(cache.tree(kernel), binds, ["make-disk"]),
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=cache.BUILD_TIMEOUT_S,
        )
        if done.returncode != 0:
            raise Failure(f"cannot make a disk: {done.stderr.strip()}")

    return cache.kept("kernel.disk", key, make)
