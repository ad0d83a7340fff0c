"""What an engine lists of containers, networks and volumes, as tests put it together."""

import json
from typing import Any

from daemon import Daemon

OURS = {"io.sockwake.instance": "pg1"}
PROJECT = {"com.docker.compose.project": "sockwake-pg1"}


def thing(name: str, labels: dict[str, str] | None, **more: object) -> dict[str, Any]:
    """An entry of any of the lists; more: keys that only some have."""
    return {"Id": f"id-{name}", "Name": name, "Names": [f"/{name}"], "Labels": labels, **more}


def answers(
    daemon: Daemon, containers: object = (), networks: object = (), volumes: object = ()
) -> None:
    """Set all that the engine has."""
    daemon.answers |= {
        "GET /containers/json": (200, json.dumps(containers).encode()),
        "GET /networks": (200, json.dumps(networks).encode()),
        "GET /volumes": (200, json.dumps({"Volumes": volumes}).encode()),
    }
