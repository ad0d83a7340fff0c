"""An instance: its name and its paths.

Imported on the wake path, so it imports next to nothing itself.
"""

from __future__ import annotations

import binascii

from sockwake.config import scope
from sockwake.errors import USAGE, SockwakeError

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Name(str):
    """The name of an instance; one that exists is valid.

    It becomes a unit name, a directory, a container and part of shell-read files, hence the narrow rule.
    The generator repeats it in sh.
    """

    __slots__ = ()
    RULE = "use lower-case letters, digits and '-', starting with a letter, 31 characters at most"

    def __new__(cls, text: str) -> Name:
        valid = (
            1 <= len(text) <= 31
            and text[0] in _LETTERS
            and not text.strip(_LETTERS + "0123456789-")
        )
        if not valid:
            raise SockwakeError(f"instance name '{text}' is not valid: {cls.RULE}", status=USAGE)
        return super().__new__(cls, text)


class Instance:
    """Where an instance keeps what; root is the tree it lives in ("" is the running system)."""

    __slots__ = ("etc", "name", "root", "run")

    def __init__(self, name: Name, root: str = "", etc: str = "") -> None:
        self.name = name
        self.root = root
        self.etc = etc or f"{scope.etc(root)}/{name}"
        self.run = f"{scope.run(root)}/{name}"

    @property
    def env_file(self) -> str:
        return f"{self.etc}/instance.env"

    @property
    def compose_file(self) -> str:
        return f"{self.etc}/compose.yaml"

    @property
    def password_file(self) -> str:
        return f"{self.etc}/password"

    @property
    def tls_certificate(self) -> str:
        return f"{self.etc}/server.crt"

    @property
    def tls_key(self) -> str:
        return f"{self.etc}/server.key"

    @property
    def uninitialised_file(self) -> str:
        """There until the cluster has been made. Without it a missing cluster is a fault (a disk that is
        not mounted, say) and never a reason to make an empty one."""
        return f"{self.etc}/uninitialised"

    @property
    def service_file(self) -> str:
        """What systemd runs for an instance that is no container: a drop-in of backend_unit."""
        return f"{self.etc}/service.conf"

    @property
    def data(self) -> str:
        """Where it keeps its data unless DATA= says otherwise, as the running system sees it."""
        return f"{scope.data()}/{self.name}"

    @property
    def backend(self) -> str:
        """The directory the backend's unix socket is in."""
        return f"{self.run}/backend"

    @property
    def netns(self) -> str:
        """Where the network namespace is mounted that the proxy of a TLS instance lives in."""
        return f"{self.run}/netns"

    @property
    def ready_file(self) -> str:
        """There while the backend is ready: idle time in seconds, and where the backend is."""
        return f"{self.run}/ready"

    @property
    def ending_file(self) -> str:
        """What the ready file becomes while its server is shutting down, which was ready before."""
        return f"{self.run}/ending"

    @property
    def handover_socket(self) -> str:
        """Where the proxy hands its sockets to the waker when there is no client to wake for."""
        return f"{self.run}/door"

    @property
    def nobody_file(self) -> str:
        """There after a backend was not started because no client was in the queue, until the next start."""
        return f"{self.run}/nobody"

    @property
    def last_visit(self) -> str:
        """When the last client that said anything left, in seconds of CLOCK_MONOTONIC; not of every instance."""
        return f"{self.run}/last-visit"

    @property
    def activity(self) -> str:
        """What the check last saw, and since when; not of every instance."""
        return f"{self.run}/activity"

    @property
    def wake_lock(self) -> str:
        """Locked by the waker from its first moment until the ready file or its own end."""
        return f"{self.run}/wake.lock"

    @property
    def wake_file(self) -> str:
        """How many seconds the last wake took."""
        return f"{self.run}/last-wake"

    @property
    def failure_file(self) -> str:
        """Why the last wake failed, in one line, for the client that waits."""
        return f"{self.run}/failure"

    @property
    def failure_details(self) -> str:
        """What another program said about that; closed to the proxy, and so to clients."""
        return f"{self.run}/failure-details"

    @property
    def container(self) -> str:
        return f"sockwake-{self.name}"

    @property
    def init_container(self) -> str:
        """The one that makes the cluster and is thrown away; no name has a "_", so that it is no other instance's."""
        return f"{self.container}_init"

    @property
    def socket_unit(self) -> str:
        return f"pg-proxy@{self.name}.socket"

    @property
    def proxy_unit(self) -> str:
        return f"pg-proxy@{self.name}.service"

    @property
    def check_unit(self) -> str:
        """Of the timer that asks whether it may sleep, and of what it starts, without their suffixes."""
        return f"pg-check@{self.name}"

    @property
    def backend_unit(self) -> str:
        return f"pg-postgres@{self.name}.service"

    def fingerprint(self) -> str:
        """What tells edited files from those a container was made of. Against edits, not against malice."""
        value = size = 0
        for path in (self.env_file, self.compose_file):
            try:
                with open(path, "rb") as file:
                    content = file.read()
            except OSError as error:
                raise SockwakeError(
                    f"cannot read {path}: {(error.strerror or str(error)).lower()}"
                ) from None
            value = binascii.crc32(content, value)
            size += len(content)
        return f"{size}-{value:08x}"
