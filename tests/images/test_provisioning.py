"""The examples that configure a machine, run by cloud-init and Ansible themselves."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import bakery
import cache
import recipe
from clone import Clone

SEED = "/var/lib/cloud/seed/nocloud"
STAGES = ("init --local", "init", "modules --mode=config", "modules --mode=final")
# the modules of the example: others ask a network
OF_THE_TEST = (
    "datasource_list: [NoCloud]\\n"
    "cloud_init_modules: [write_files]\\n"
    "cloud_config_modules: [runcmd]\\n"
    "cloud_final_modules: [scripts_user]\\n"
)
PLAY = "ansible-playbook -i localhost, -c local /examples/ansible/site.yml"
RECAP = re.compile(r"^localhost +: (.*)$", re.MULTILINE)


@pytest.fixture
def server(deb: Path, clone: Callable[[Path], Clone]) -> Iterator[Clone]:
    """A fresh machine with the tools and the image's archive, and no network or engine."""
    machine = clone(cache.tree(recipe.load("builder")))
    machine.boot(
        f"{bakery.container()}:/var/cache/postgres-18.tar",
        f"{bakery.EXAMPLES}:/examples",
        f"{deb}:/root/sockwake.deb",
    )
    yield machine


def played(server: Clone) -> dict[str, int]:
    """What Ansible counts of the example's play, as in {"ok": 6, "changed": 0}."""
    said = server.run(
        "sh", "-c", f"{PLAY} -e ansible_become=false -e sockwake_package=/root/sockwake.deb"
    )
    found = RECAP.search(said)
    assert found, said
    pairs = [each.split("=") for each in found[1].split()]
    return {name: int(count) for name, count in pairs}


@pytest.mark.skipif(
    not os.environ.get("SOCKWAKE_SOAK"), reason="takes a minute, as cloud-init's does"
)
def test_the_ansible_role_makes_an_instance_and_then_changes_nothing(server: Clone) -> None:
    first = played(server)
    assert (first["failed"], first["unreachable"]) == (0, 0)
    assert first["changed"] >= 4  # package, image, instance, settings
    assert "IDLE=10min" in server.run("cat", "/etc/sockwake/shop/instance.env").splitlines()
    assert server.ask("select 1") == "1"
    again = played(server)
    assert (again["failed"], again["changed"]) == (0, 0)


def test_cloud_init_makes_an_instance_with_the_password_it_brings(server: Clone) -> None:
    server.run("cloud-init", "schema", "--config-file=/examples/cloud-init/user-data")
    server.run("apt-get", "install", "--yes", "/root/sockwake.deb")
    server.run("sockwake", "images", "load", "--quiet", "/var/cache/postgres-18.tar")
    server.run("sh", "-c", f"mkdir -p {SEED} && cp /examples/cloud-init/* {SEED}")
    server.run("sh", "-c", f"printf '{OF_THE_TEST}' >/etc/cloud/cloud.cfg.d/99-test.cfg")
    for stage in STAGES:
        server.run("sh", "-c", f"cloud-init {stage}")
    assert server.ask("select 1") == "1"
    assert "IDLE=10min" in server.run("cat", "/etc/sockwake/shop/instance.env").splitlines()
    assert server.password() == "change-me-and-keep-me-out-of-git"
