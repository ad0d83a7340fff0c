"""Open a thousand sockets of one sort inside a guest, then do a daemon-reload per line on stdin.

Each sort has a guest of its own, as in one systemd each would be measured with the other; the host
lets them take turns. A systemd is up to three times as slow after one start as after another
(its hash tables are seeded at random), so daemon-reexec comes before each reload.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

import crowd
import making
import traces
from traces import BenchError

UNITS = "/run/systemd/system"
WANTED = "/etc/systemd/system"
BARE_SOCKET = "[Unit]\nDescription=Bare socket %i\n\n[Socket]\nTriggerLimitIntervalSec=0\n"
BARE_SERVICE = """\
[Unit]
Description=Bare service %i

[Service]
ExecStart=/usr/lib/systemd/systemd-socket-proxyd 127.0.0.1:9
"""


def sockwake(count: int) -> list[str]:
    """Instances of sockwake's, enabled; returns their sockets."""
    model = making.make_model()
    os.rmdir(crowd.ETC)
    crowd.build(crowd.ETC, count, model)
    sockets = [f"pg-proxy@{name}.socket" for name in crowd.names(count)]
    _enable(
        sockets, "/usr/lib/systemd/system/pg-proxy@.socket", ["sockets.target", "sockwake.target"]
    )
    return sockets


def bare(count: int) -> list[str]:
    """Instances of a template with nothing but a static drop-in each, enabled; returns them."""
    os.makedirs(UNITS, exist_ok=True)
    _write(f"{UNITS}/bare@.socket", BARE_SOCKET)
    _write(f"{UNITS}/bare@.service", BARE_SERVICE)
    sockets = [f"bare@{name}.socket" for name in crowd.names(count)]
    for number, socket in enumerate(sockets):
        os.makedirs(f"{UNITS}/{socket}.d")
        _write(
            f"{UNITS}/{socket}.d/listen.conf",
            f"[Socket]\nListenStream=127.0.0.1:{crowd.FIRST_PORT + number}\n",
        )
    _enable(sockets, f"{UNITS}/bare@.socket", ["sockets.target"])
    return sockets


def open_all(sockets: list[str]) -> None:
    """Have systemd listen on every one; raises BenchError when it does not."""
    _systemctl("daemon-reload")
    _systemctl("start", *sockets)
    rows = [line.split() for line in traces.read("/proc/net/tcp").splitlines()[1:]]
    listening = sum(row[3] == "0A" for row in rows)
    if listening < len(sockets):
        raise BenchError(f"{listening} of {len(sockets)} sockets listen")


def _enable(sockets: list[str], template: str, targets: list[str]) -> None:
    """The links `systemctl enable` makes, without its reload."""
    for target in targets:
        os.makedirs(f"{WANTED}/{target}.wants", exist_ok=True)
        for socket in sockets:
            os.symlink(template, f"{WANTED}/{target}.wants/{socket}")


def _systemctl(*arguments: str) -> None:
    done = subprocess.run(["systemctl", *arguments], check=False, capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"systemctl {arguments[0]} failed: {done.stderr.strip()[-300:]}")


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def main() -> int:
    """reload.py sockwake|bare COUNT: print "ready", then the ms of one reload per line read."""
    sort, count = sys.argv[1], int(sys.argv[2])
    try:
        open_all({"sockwake": sockwake, "bare": bare}[sort](count))
        print("ready", flush=True)
        for _ in sys.stdin:
            _systemctl("daemon-reexec")
            traces.await_quiet()
            before = time.perf_counter()
            _systemctl("daemon-reload")
            print(1000 * (time.perf_counter() - before), flush=True)
    except BenchError as error:
        print(f"bench: error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
