"""A user who listens on every free port of the machine to catch clients of an instance."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from program import start

USER = "nobody"
# A process for each span; none from 32768 on, as clients need ports of their own.
ANY = (range(1024, 16384), range(16384, 32768))
_PROGRAM = """
import selectors, socket, sys
doors, selector = [], selectors.DefaultSelector()
for span in sys.argv[1:]:
    first, last = map(int, span.split("-"))
    for port in range(first, last + 1):
        door = socket.socket()
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind(("127.0.0.1", port))
            door.listen(16)
        except OSError:
            door.close()
            continue
        selector.register(door, selectors.EVENT_READ)
print("listening on", len(selector.get_map()), flush=True)
while True:
    for key, _ in selector.select():
        client = key.fileobj.accept()[0]
        client.settimeout(5)
        try:
            said = client.recv(4096)
            client.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 6\\r\\n\\r\\nstolen")
        except OSError:
            said = b""
        print("caught", key.fileobj.getsockname()[1], said, flush=True)
        client.close()
"""


class Catch:
    """How many ports were taken, and, after the end, what clients sent to them."""

    def __init__(self) -> None:
        self.ports = 0
        self.said: list[str] = []


@contextmanager
def squatting(*spans: range) -> Iterator[Catch]:
    """Another user listens on every free port of these spans meanwhile."""
    catch = Catch()
    unprivileged = f"setpriv --reuid={USER} --regid=nogroup --clear-groups python3 -c"
    argv = ("prlimit", "--nofile=17000", *unprivileged.split(), _PROGRAM)
    children = [start(*argv, f"{span[0]}-{span[-1]}") for span in spans or ANY]
    try:
        for child in children:
            assert child.stdout
            first = child.stdout.readline()
            assert first.startswith("listening on "), first + child.stdout.read()
            catch.ports += int(first.split()[-1])
        yield catch
    finally:
        for child in children:
            child.terminate()
            catch.said += [
                line
                for line in child.communicate(timeout=30)[0].splitlines()
                if line.startswith("caught")
            ]
