"""Three nodes of Debian's own Patroni, and their etcd, on addresses of this machine's loopback.

They are configured by what `sockwake export --to patroni` has written, as its README says.
"""

from __future__ import annotations

import re
import shutil
from contextlib import suppress
from pathlib import Path

from host_postgres import SERVER
from moment import until
from program import must, run

REST = 8008
_BASE = Path("/var/lib/postgresql/patroni-of-the-tests")
_HOSTS = ("127.0.0.11", "127.0.0.12", "127.0.0.13")
_FILE = _BASE / "patroni.yml"
_ETCD = "etcd-of-the-tests.service"
_CLIENTS = "127.0.0.1:2379"
PROGRAMS = ("patroni", "etcd", str(SERVER))
# the shortest that Patroni takes: a leader that has gone is missed after ttl seconds at most; one
# whose etcd is slow, as on a busy machine, goes on as long as that allows
_DYNAMIC = {"ttl": 20, "loop_wait": 2, "retry_timeout": 9, "synchronous_mode": True}


class Node:
    """One node: a unit that runs Patroni, which runs PostgreSQL."""

    def __init__(self, number: int) -> None:
        self.host = _HOSTS[number]
        self.port = 5432 + number  # of its socket, which all nodes of a machine have in one folder
        self.name = f"node{number + 1}"
        self.unit = f"patroni-{self.name}-of-the-tests.service"
        self.data = _BASE / self.name / "data"
        self.environment = _BASE / self.name / "node.env"

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    def differ(self, exported: str) -> None:
        """Write its variables into the node.env that was exported, which names every one."""
        for variable, value in {
            "NAME": self.name,
            "ETCD3_HOSTS": _CLIENTS,
            "RESTAPI_LISTEN": f"{self.host}:{REST}",
            "RESTAPI_CONNECT_ADDRESS": f"{self.host}:{REST}",
            "POSTGRESQL_LISTEN": str(self),
            "POSTGRESQL_CONNECT_ADDRESS": str(self),
            "POSTGRESQL_DATA_DIR": self.data,
            "POSTGRESQL_PGPASS": self.data.parent / "pgpass",
        }.items():
            line = rf"^#?PATRONI_{variable}=.*$"
            exported, count = re.subn(
                line, f"PATRONI_{variable}={value}", exported, flags=re.MULTILINE
            )
            assert count == 1, f"node.env does not name {variable}"
        self.data.parent.mkdir()
        self.environment.write_text(exported)

    def start(self) -> None:
        options = ["--quiet", "--collect", "--uid=postgres", f"--unit={self.unit}"]
        options.append(f"--property=EnvironmentFile={self.environment}")
        must("systemd-run", *options, "patroni", str(_FILE))

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
    """Nodes and etcd; end() takes away all there is."""

    def __init__(self) -> None:
        self.nodes = [Node(number) for number in range(3)]

    @property
    def targets(self) -> list[str]:
        return [str(node) for node in self.nodes]

    def prepare(self, exported: Path) -> None:
        """Start etcd, and put what was exported in its place. exported: its folder."""
        _BASE.mkdir(mode=0o755)
        client = f"http://{_CLIENTS}"
        options = ["--unsafe-no-fsync", f"--listen-client-urls={client}"]
        options += [f"--advertise-client-urls={client}", f"--data-dir={_BASE}/etcd"]
        must("systemd-run", "--quiet", "--collect", f"--unit={_ETCD}", "etcd", *options)
        until("etcd answers", lambda: run("curl", "-sf", f"{client}/health").status == 0)
        shutil.copy(exported / "patroni.yml", _FILE)
        for node in self.nodes:
            node.differ((exported / "node.env").read_text())
        must("chown", "-R", "postgres:", str(_BASE))

    def adopt(self, data: Path) -> None:
        """Have the first node take over a copy of a cluster's files."""
        first = self.nodes[0]
        must("cp", "-a", "--reflink=auto", str(data), str(first.data))
        must("chown", "-R", "postgres:", str(first.data))
        first.start()
        self.await_leader(first)
        self.configure(**_DYNAMIC)

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

    def promote(self, readme: str) -> None:
        """Have the standby cluster become one of its own, as the export's README says."""
        found = re.search(
            r"^ +(patronictl edit-config .*standby_cluster=null.*)$", readme, re.MULTILINE
        )
        assert found
        self.patronictl(*found.group(1).split()[1:])

    def configure(self, **settings: object) -> None:
        """Change what all nodes share."""
        until("they share settings", lambda: self.nodes[0].status("/config") == 200)
        words = [word for each in settings.items() for word in ("--set", "{}={}".format(*each))]
        self.patronictl("edit-config", "--force", *words)

    def patronictl(self, *words: str) -> None:
        """On the first node, with its two files."""
        shell = f'set -a; . {self.nodes[0].environment}; exec patronictl "$@"'
        settings = {"PATRONICTL_CONFIG_FILE": str(_FILE)}
        must("sh", "-c", shell, "patronictl", *words, env=settings)

    def end(self) -> None:
        run("systemctl", "kill", "--signal=SIGKILL", "--kill-whom=all", "*-of-the-tests.service")
        for unit in (*(node.unit for node in self.nodes), _ETCD):
            run("systemctl", "stop", unit)
            run("systemctl", "reset-failed", unit)
        with suppress(FileNotFoundError):
            shutil.rmtree(_BASE)
