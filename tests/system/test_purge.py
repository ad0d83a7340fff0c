"""Only --purge deletes data: an instance's own and its containers', never another instance's."""

from __future__ import annotations

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
