"""Only --purge deletes data: an instance's own and its containers', never another instance's."""

from __future__ import annotations

import docker_engine
from database import IMAGE
from instances import Make
from program import must, run
from service import Service

EXISTS = 3  # exit status of sockwake-new
CONTAINER = ("--kind", "container", "--image", "nginx:local", "--container-port", "80")


def test_a_cluster_survives_whatever_is_purged_of_other_instances(
    instance: Make, nginx: str
) -> None:
    database = instance(name="a")
    database.psql("create table kept as select 1 as n")
    database.asleep()
    for data in ("/var/lib/sockwake", "/var/lib/sockwake/a", "/var/lib/sockwake/a/18", "/var/lib"):
        ran = run("sockwake-new", "w", *CONTAINER, "--mount", "/data", "--data", data)
        assert ran.status in (2, EXISTS) and "data directory" in ran.err, ran
    must("sockwake-new", "w", *CONTAINER, "--mount", "/data", "--no-provision")
    Service("w").set("DATA", "/var/lib/sockwake/a/18")
    run("sockwake", "rm", "w", "--purge").expect(
        EXISTS, "is inside /var/lib/sockwake/a, which belongs to instance 'a'"
    )
    must("sockwake", "rm", "w")
    assert database.psql("select n from kept") == "1"


def test_data_that_another_container_mounts_are_not_purged(instance: Make, image: str) -> None:
    """crun wakes it, and yet every engine that is installed is asked, or named."""
    database = instance()
    database.psql("create table kept as select 1 as n")
    database.asleep()
    data = "/var/lib/sockwake/pg1"
    mount = f"--volume={data}/18:/var/lib/postgresql/18"
    made = must("docker", "create", "--name=reader", mount, IMAGE, "true").strip()
    try:
        refused = run("sockwake", "rm", "pg1", "--purge")
        refused.expect(
            EXISTS, f"data directory {data} ({data}/18) is mounted by docker's container reader"
        )
        assert "docker rm reader removes that container" in refused.err
        must("systemctl", "stop", "docker.socket", "docker.service", timeout=120)
        docker_engine.allow_starts()
        silent = run("sockwake", "rm", "pg1", "--purge").expect(1, "does not answer at")
        assert "systemctl start docker.service" in silent.err and "--purge" in silent.err
    finally:
        must("systemctl", "start", "docker.socket", "docker.service", timeout=120)
        must("docker", "rm", "--volumes", made)
    assert database.state(database.socket) == "active"
    assert database.psql("select n from kept") == "1", "nothing was changed"
    database.asleep()
    if run("sh", "-c", "command -v podman").status:
        return
    must("podman", "create", f"--volume={data}:/data", "--name=reader", "--rootfs", "/", "true")
    try:
        ran = run("sockwake", "rm", "pg1", "--purge")
        ran.expect(EXISTS, f"data directory {data} is mounted by podman's container reader")
    finally:
        must("podman", "rm", "reader")
