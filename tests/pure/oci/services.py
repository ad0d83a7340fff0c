"""Services as `compose config --format json` of 2.26.1 prints them, and an image for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Service = dict[str, Any]

# made by sockwake-new
POSTGRES = """{
  "command": ["postgres", "-c", "listen_addresses=", "-c", "log_line_prefix=%m [%p] $$x"],
  "container_name": "sockwake-pg1", "entrypoint": null, "image": "postgres:18",
  "logging": {"driver": "none"}, "network_mode": "none", "restart": "no",
  "shm_size": "268435456", "stop_grace_period": "5m0s", "stop_signal": "SIGINT",
  "volumes": [
    {"type": "bind", "source": "/run/sockwake/pg1/backend", "target": "/var/run/postgresql"},
    {"type": "bind", "source": "/var/lib/sockwake/pg1", "target": "/var/lib/postgresql",
     "bind": {"create_host_path": true}}
  ]
}"""
# everything that needs no engine
RICH = """{
  "annotations": {"q": "r"}, "cap_add": ["NET_ADMIN", "CAP_SYS_NICE"], "cap_drop": ["MKNOD"],
  "cgroup": "private", "cpus": 1.5, "cpuset": "0", "cpu_shares": 512,
  "command": ["serve", "-c", "a=b c", "$$HOME"], "container_name": "cn",
  "dns": ["1.1.1.1"], "dns_opt": ["ndots:2"], "dns_search": ["x.y"], "domainname": "dd",
  "entrypoint": ["/x", "y"],
  "environment": {"A": "x$$y", "B": null, "C": "1", "E2": "x y"},
  "expose": ["80"], "extra_hosts": ["a=1.2.3.4", "b=::5"], "group_add": ["adm", "12"],
  "hostname": "hh",
  "healthcheck": {"test": ["CMD-SHELL", "exit 0"], "timeout": "3s", "interval": "5s",
    "retries": 3, "start_period": "10s"},
  "image": "postgres:18", "ipc": "private", "isolation": "default", "labels": {"a": "b"},
  "logging": {"driver": "none"}, "mem_limit": "524288000", "mem_reservation": "104857600",
  "memswap_limit": "629145600", "network_mode": "none", "oom_score_adj": 100,
  "pids_limit": 100, "platform": "linux/amd64", "pull_policy": "never", "read_only": true,
  "restart": "no", "scale": 1, "security_opt": ["no-new-privileges:true"],
  "shm_size": "268435456", "stop_grace_period": "1m30s", "stop_signal": "INT",
  "sysctls": {"kernel.shmmax": "5", "net.core.somaxconn": "1024"},
  "tmpfs": ["/run", "/tmp2:size=10m,mode=1777,exec"],
  "ulimits": {"nofile": 1000, "nproc": {"soft": 10, "hard": -1}},
  "user": "www:adm", "userns_mode": "host",
  "volumes": [
    {"type": "bind", "source": "/srv/a", "target": "/a", "read_only": true,
     "bind": {"create_host_path": true}},
    {"type": "bind", "source": "/srv/b", "target": "/b",
     "bind": {"propagation": "rslave", "create_host_path": true}},
    {"type": "tmpfs", "target": "/t", "tmpfs": {"size": "10485760", "mode": 493}},
    {"type": "bind", "source": "/srv/e", "target": "/e", "consistency": "cached"}
  ],
  "working_dir": "/w"
}"""
IMAGE = {
    "Env": ["PATH=/usr/local/bin:/usr/bin:/usr/lib/postgresql/18/bin", "PGDATA=/var/lib/x", "B=1"],
    "Cmd": ["postgres"],
    "Entrypoint": ["docker-entrypoint.sh"],
    "Volumes": {"/var/lib/postgresql": {}},
    "StopSignal": "SIGINT",
    "WorkingDir": "",
    "User": "",
}
_PASSWD = """root:x:0:0:root:/root:/bin/sh
www:x:33:33::/var/www:/bin/sh
postgres:x:999:999::/var/lib/postgresql:/bin/sh
broken:x::
"""
_GROUP = "root:x:0:\nadm:x:4:www\nssl-cert:x:995:other,postgres\npostgres:x:999:\nwww:x:33:\n"


def service(text: str, **keys: object) -> Service:
    """A service with these keys instead of its own; None takes one away."""
    made = {**json.loads(text), **keys}
    return {key: value for key, value in made.items() if value is not None or key not in keys}


def rootfs(folder: Path) -> str:
    """The image's file system."""
    for path in ("etc", "run", "usr/lib/postgresql/18/bin", "var", "tmp"):
        (folder / path).mkdir(parents=True)
    (folder / "etc/passwd").write_text(_PASSWD)
    (folder / "etc/group").write_text(_GROUP)
    (folder / "var/run").symlink_to("/run")
    server = folder / "usr/lib/postgresql/18/bin/postgres"
    server.write_text("")
    server.chmod(0o755)
    return str(folder)
