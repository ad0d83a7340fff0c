"""Three nodes of Debian's own Patroni, and their etcd, on addresses of this machine's loopback."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from pathlib import Path

from moment import until
from program import must, run

PORT, REST = 5432, 8008
_BASE = Path("/var/lib/postgresql/patroni-of-the-tests")
_BINARIES = "/usr/lib/postgresql/17/bin"
_HOSTS = ("127.0.0.11", "127.0.0.12", "127.0.0.13")
_ETCD = "etcd-of-the-tests.service"
PROGRAMS = ("patroni", "etcd", f"{_BINARIES}/postgres")
# the shortest that Patroni takes: a leader that has gone is missed after ttl seconds at most; one
# whose etcd is slow, as on a busy machine, goes on as long as that allows
_DYNAMIC = {
    "ttl": 20,
    "loop_wait": 2,
    "retry_timeout": 9,
    "synchronous_mode": True,
    "postgresql": {"use_pg_rewind": False, "parameters": {"max_connections": 50}},
}


class Node:
    """One node: a unit that runs Patroni, which runs PostgreSQL."""

    def __init__(self, number: int) -> None:
        self.host = _HOSTS[number]
        self.name = f"node{number + 1}"
        self.unit = f"patroni-{self.name}-of-the-tests.service"
        self.data = _BASE / self.name / "data"
        self.file = _BASE / self.name / "patroni.yml"

    def __str__(self) -> str:
        return f"{self.host}:{PORT}"

    def start(self) -> None:
        command = ["patroni", str(self.file)]
        must(
            "systemd-run", "--quiet", "--collect", f"--unit={self.unit}", "--uid=postgres", *command
        )

    def kill(self) -> None:
        """kill -9 of all its processes, as by a power cut."""
        run("systemctl", "kill", "--signal=SIGKILL", "--kill-whom=all", self.unit)

    def status(self, path: str) -> int:
        """The status of an answer of its REST API, 0 for none."""
        said = run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", self.url(path)).out
        return int(said or 0)

    def url(self, path: str) -> str:
        return f"http://{self.host}:{REST}{path}"


class Cluster:
    """Nodes and etcd; end() takes away all there is. password: the superuser's."""

    def __init__(self, password: str) -> None:
        self.nodes = [Node(number) for number in range(3)]
        self._password = password
        self._standby_of: dict[str, object] = {}

    @property
    def targets(self) -> list[str]:
        return [str(node) for node in self.nodes]

    def prepare(self, standby_of: tuple[str, int] | None = None) -> None:
        """Start etcd and write the nodes' files. standby_of: host and port to stream from."""
        _BASE.mkdir(mode=0o755)
        if standby_of:
            host, port = standby_of
            self._standby_of = {"standby_cluster": {"host": host, "port": port}}
        client = "http://127.0.0.1:2379"
        options = ["--unsafe-no-fsync", f"--listen-client-urls={client}"]
        options += [f"--advertise-client-urls={client}", f"--data-dir={_BASE}/etcd"]
        must("systemd-run", "--quiet", "--collect", f"--unit={_ETCD}", "etcd", *options)
        until("etcd answers", lambda: run("curl", "-sf", f"{client}/health").status == 0)
        for node in self.nodes:
            node.data.parent.mkdir()
            node.file.write_text(json.dumps(self._settings(node)))  # which is YAML, too
        must("chown", "-R", "postgres:", str(_BASE))

    def adopt(self, data: Path) -> None:
        """Have the first node take over a copy of a cluster's files."""
        first = self.nodes[0]
        must("cp", "-a", "--reflink=auto", str(data), str(first.data))
        must("chown", "-R", "postgres:", str(first.data))
        first.start()
        self.await_leader(first)
        body = json.dumps(_DYNAMIC)
        must("curl", "-sf", "-X", "PUT", "-d", body, first.url("/config"))

    def start_others(self) -> None:
        """Start the second and the third node, which copy the first; all of them stream then."""
        for node in self.nodes[1:]:
            node.start()
        for node in self.nodes[1:]:
            until(f"{node.name} streams", lambda: node.status("/replica") == 200, 90)

    def await_synchronous(self) -> None:
        """Until no row is committed that only one node has."""
        until("a standby is synchronous", lambda: self.has("/sync"))

    def has(self, path: str) -> bool:
        """Whether a node is what a path of its REST API asks for."""
        return any(node.status(path) == 200 for node in self.nodes)

    def await_leader(self, node: Node | None = None) -> Node:
        """The node that leads; until this one does."""
        until("a node leads", lambda: self.leader() if not node else self.leader() is node, 90)
        found = self.leader()
        assert found
        return found

    def leader(self) -> Node | None:
        return next((node for node in self.nodes if node.status("/primary") == 200), None)

    def promote(self) -> None:
        """Have the standby cluster become one of its own."""
        body = json.dumps({"standby_cluster": None})
        must("curl", "-sf", "-X", "PATCH", "-d", body, self.nodes[0].url("/config"))

    def end(self) -> None:
        run("systemctl", "kill", "--signal=SIGKILL", "--kill-whom=all", "*-of-the-tests.service")
        for unit in (*(node.unit for node in self.nodes), _ETCD):
            run("systemctl", "stop", unit)
            run("systemctl", "reset-failed", unit)
        with suppress(FileNotFoundError):
            shutil.rmtree(_BASE)

    def _settings(self, node: Node) -> dict[str, object]:
        user = {"username": "postgres", "password": self._password}
        return {
            "scope": "shop",
            "name": node.name,
            "restapi": {"listen": f"{node.host}:{REST}", "connect_address": f"{node.host}:{REST}"},
            "etcd3": {"host": "127.0.0.1:2379"},
            "bootstrap": {"dcs": {**_DYNAMIC, **self._standby_of}},
            "postgresql": {
                "listen": str(node),
                "connect_address": str(node),
                "data_dir": str(node.data),
                "bin_dir": _BINARIES,
                "authentication": {"superuser": user, "replication": user},
                "pg_hba": [
                    "local all all peer",
                    "host all all 127.0.0.0/8 scram-sha-256",
                    "host replication all 127.0.0.0/8 scram-sha-256",
                ],
                "parameters": {"unix_socket_directories": str(node.data.parent)},
            },
        }
