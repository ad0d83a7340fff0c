"""An instance: its name and its paths. On the wake path, so it imports next to nothing itself."""

from __future__ import annotations

import binascii

from sockwake.config import scope
from sockwake.errors import USAGE, SockwakeError, reason

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Name(str):
    """The valid name of an instance; raises SockwakeError for any other text.

    It is a part of the names of units, directories and containers, and of files that a shell reads.
    sockwake-generator has the same rule in sh.
    """

    __slots__ = ()
    RULE = "use lower-case letters, digits and '-', starting with a letter, 31 characters at most"

    def __new__(cls, text: str) -> Name:
        is_short = 1 <= len(text) <= 31
        if not is_short or text[0] not in _LETTERS or text.strip(_LETTERS + "0123456789-"):
            from sockwake.config import similar

            why = f"instance name '{text}' is not valid: {cls.RULE}"
            raise SockwakeError(why, similar.valid_name(text, cls), USAGE)
        return super().__new__(cls, text)


class Instance:
    """Names of an instance's files and units, in the tree root; "" is the running system."""

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
    def password_copy(self) -> str:
        """The password, for the container's user, while the cluster is made."""
        return f"{self.run}/password"

    @property
    def password_line(self) -> str:
        """The password as libpq reads it (PGPASSFILE), made by sockwake env."""
        return f"{self.run}/pgpass"

    @property
    def tls_certificate(self) -> str:
        return f"{self.etc}/server.crt"

    @property
    def tls_key(self) -> str:
        return f"{self.etc}/server.key"

    @property
    def uninitialised_file(self) -> str:
        """There until the cluster has been made; without it a missing cluster is an error."""
        return f"{self.etc}/uninitialised"

    @property
    def in_memory_file(self) -> str:
        """There when the data were made in memory, and so are not missing after a boot."""
        return f"{self.etc}/in-memory"

    @property
    def moving_file(self) -> str:
        """There while it is moved to another runtime; has the value of RUNTIME= before, or "-"."""
        return f"{self.etc}/moving"

    @property
    def renaming_file(self) -> str:
        """There while it gets another name: the one that it had, and whether its port was open."""
        return f"{self.etc}/renaming"

    @property
    def copying_file(self) -> str:
        """There until a copy is whole; has the name of its source."""
        return f"{self.etc}/copying"

    @property
    def service_file(self) -> str:
        """What systemd runs for a program of the host: a drop-in of backend_unit."""
        return f"{self.etc}/service.conf"

    @property
    def unit_file(self) -> str:
        """What compose.yaml has systemd do for crun: another drop-in of backend_unit."""
        return f"{self.etc}/unit.conf"

    @property
    def variables_file(self) -> str:
        """Variables of its container's environment, for compose; missing when there are none."""
        return f"{self.etc}/environment"

    @property
    def resolved_file(self) -> str:
        """What compose makes of its files, and its image, when it was baked into a tree."""
        return f"{self.etc}/resolved.json"

    @property
    def data(self) -> str:
        """The data directory unless DATA= names another, as the running system sees it."""
        return f"{scope.data()}/{self.name}"

    @property
    def backend(self) -> str:
        """The directory of the backend's unix socket."""
        return f"{self.run}/backend"

    @property
    def netns(self) -> str:
        """The mount point of the network namespace in which the proxy of a TLS instance runs."""
        return f"{self.run}/netns"

    @property
    def ready_file(self) -> str:
        """There while the backend is ready: idle time in seconds, and the backend's address."""
        return f"{self.run}/ready"

    @property
    def ending_file(self) -> str:
        """The ready file's name while a server that was ready is shutting down."""
        return f"{self.run}/ending"

    @property
    def handover_socket(self) -> str:
        """The unix socket over which the proxy passes its listening sockets to the waker."""
        return f"{self.run}/door"

    @property
    def nobody_file(self) -> str:
        """There after a start was skipped for want of a client, until the next start."""
        return f"{self.run}/nobody"

    @property
    def unprepared_file(self) -> str:
        """There while the host's server lacks something, and so is not started."""
        return f"{self.run}/unprepared"

    @property
    def last_visit(self) -> str:
        """When the last client left that had sent data: seconds of CLOCK_MONOTONIC; or missing."""
        return f"{self.run}/last-visit"

    @property
    def activity(self) -> str:
        """What the last check measured, and since when. May be missing."""
        return f"{self.run}/activity"

    @property
    def wake_lock(self) -> str:
        """Locked by the waker from its first moment until the ready file or its own end."""
        return f"{self.run}/wake.lock"

    @property
    def wake_file(self) -> str:
        """How many seconds the last wake took, and in which phases."""
        return f"{self.run}/last-wake"

    @property
    def trial_file(self) -> str:
        """There while a start is a trial, and no client's wake."""
        return f"{self.run}/trial"

    @property
    def wakes_file(self) -> str:
        """The last wakes, one on a line: seconds since the boot, seconds it had slept, client."""
        return f"{self.run}/wakes"

    @property
    def asked_file(self) -> str:
        """When `sockwake wake` began, in seconds since the boot, and by whom; until the wake."""
        return f"{self.run}/asked"

    @property
    def asleep_since(self) -> str:
        """When it has fallen asleep, in seconds since the boot; gone with the next wake."""
        return f"{self.run}/asleep-since"

    @property
    def memory_file(self) -> str:
        """Lines of memory.stat from when it was about to fall asleep, until it has."""
        return f"{self.run}/memory"

    @property
    def promised_file(self) -> str:
        """Until when it has memory promised (PRESSURE=), in seconds since the boot; the bytes."""
        return f"{self.run}/promised-memory"

    @property
    def memory_taken(self) -> str:
        """Bytes that it had when it last fell asleep, its page cache apart."""
        return f"{self.run}/memory-taken"

    @property
    def killed_file(self) -> str:
        """What did not end at its stop signal in the last stop, a sentence for each; or missing."""
        return f"{self.run}/killed"

    @property
    def process_one_file(self) -> str:
        """Which shell runs a server and stays process 1, and the container's fingerprint."""
        return f"{self.run}/process-1"

    @property
    def collation_file(self) -> str:
        """Databases whose indexes the image's C library may sort otherwise; may be missing."""
        return f"{self.run}/collation"

    @property
    def failure_file(self) -> str:
        """Why the last wake failed: one line, for the waiting clients."""
        return f"{self.run}/failure"

    @property
    def failure_details(self) -> str:
        """What a program said about the failure; the proxy cannot read it, so no client gets it."""
        return f"{self.run}/failure-details"

    @property
    def failure_hint(self) -> str:
        """What helps, for the command that tries it out; may be missing."""
        return f"{self.run}/failure-hint"

    @property
    def ended_file(self) -> str:
        """There behind a program, or a container of crun's, that nobody had asked to end."""
        return f"{self.run}/ended"

    @property
    def container(self) -> str:
        return f"sockwake-{self.name}"

    @property
    def init_container(self) -> str:
        """The container that initialises the cluster, then goes; no Name has a "_" in it."""
        return f"{self.container}_init"

    @property
    def init_unit(self) -> str:
        """The passing unit in which the host's initdb makes the cluster."""
        return f"sockwake-init-{self.name}.service"

    @property
    def socket_unit(self) -> str:
        return f"pg-proxy@{self.name}.socket"

    @property
    def proxy_unit(self) -> str:
        return f"pg-proxy@{self.name}.service"

    @property
    def check_unit(self) -> str:
        """The name, without suffix, of the idle check's timer and service."""
        return f"pg-check@{self.name}"

    @property
    def backend_unit(self) -> str:
        return f"pg-postgres@{self.name}.service"

    def fingerprint(self) -> str:
        """A checksum of the files that a container is made of, to see whether it still is.

        Detects edits, not attacks. Raises SockwakeError when one cannot be read.
        """
        value = size = 0
        for path in (self.env_file, self.compose_file, self.variables_file):
            try:
                with open(path, "rb") as file:
                    content = file.read()
            except OSError as error:
                if path == self.variables_file and isinstance(error, FileNotFoundError):
                    continue
                raise SockwakeError(f"cannot read {path}: {reason(error)}") from None
            value = binascii.crc32(content, value)
            size += len(content)
        return f"{size}-{value:08x}"
