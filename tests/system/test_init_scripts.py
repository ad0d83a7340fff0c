"""What an image brings for its first start: arguments of initdb, and scripts that take long."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from database import IMAGE, Database
from derived import SCRIPTS, derived
from instances import Know, Make
from moment import until
from program import Ran, must, run, start
from soak import only_in_soak

pytestmark = [pytest.mark.makes, pytest.mark.usefixtures("image"), pytest.mark.engine]

# 16 s with an output, 8 s of a processor, 10 s of a growing file; each more than START_TIMEOUT
WORKS = """
for step in 1 2 3 4 5 6 7 8; do echo "step $step"; sleep 2; done
timeout 12 sh -c 'while :; do :; done' || :
for step in 1 2 3 4 5 6 7 8 9 10 11 12; do
    head -c 100000 /dev/zero >> "$PGDATA/restored"; sleep 1
done
rm "$PGDATA/restored"
"""
FAILS = "create table a (n int);\ninsert into nowhere values (1);\n"


def new(image: str, *options: str) -> Ran:
    return run("sockwake-new", "pg1", "--version", "18", "--image", image, *options, timeout=120)


def impatient(instance: Make, image: str, runtime: str) -> Database:
    """An instance without a cluster so far, with a START_TIMEOUT of 8 s."""
    database = instance("--no-provision", "--image", image, "--runtime", runtime)
    with (database.etc / "instance.env").open("a") as file:
        file.write("START_TIMEOUT=8s\n")
    return database


def nothing_is_left() -> None:
    assert not Path("/etc/sockwake/pg1").exists() and not Path("/var/lib/sockwake/pg1").exists()
    assert run("docker", "inspect", "sockwake-pg1_init").status != 0


def test_arguments_of_the_image_are_kept_and_those_of_sockwake_added(instance: Make) -> None:
    arguments = "ENV POSTGRES_INITDB_ARGS='--data-checksums --wal-segsize=64'"
    with derived(IMAGE, {}, arguments) as image:
        database = instance("--image", image)
        assert database.psql("show wal_segment_size") == "64MB"
        assert database.psql("show data_checksums") == "on"
        assert database.psql("show server_encoding") == "UTF8"
        hba = (database.cluster / "pg_hba.conf").read_text()
        assert "scram-sha-256" in hba and "trust\n" not in hba
        database.asleep()
        must("sockwake", "rm", "pg1", "--purge")


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("POSTGRES_INITDB_ARGS=--auth=trust", "POSTGRES_INITDB_ARGS says --auth=trust"),
        pytest.param(
            "POSTGRES_INITDB_WALDIR=/wal", "POSTGRES_INITDB_WALDIR is set", marks=pytest.mark.soak
        ),
        pytest.param(
            "POSTGRES_HOST_AUTH_METHOD=trust",
            "POSTGRES_HOST_AUTH_METHOD=trust is set",
            marks=pytest.mark.soak,
        ),
    ],
)
def test_what_contradicts_sockwake_is_refused_by_name(variable: str, said: str) -> None:
    with derived(IMAGE, {}, f"ENV {variable}") as image:
        new(image).expect(1, said, "(hint: take it out, or set it to nothing in compose.yaml")
    nothing_is_left()


@pytest.mark.soak
@pytest.mark.parametrize("runtime", ["crun", "engine"])
def test_a_script_may_take_as_long_as_it_makes_progress(instance: Make, runtime: str) -> None:
    with derived(IMAGE, {f"{SCRIPTS}/10-restore.sh": WORKS}) as image:
        database = impatient(instance, image, runtime)
        assert database.psql(timeout=120) == "1"
        database.asleep()
        must("sockwake", "rm", "pg1", "--purge")


@pytest.mark.parametrize("runtime", ["crun", *only_in_soak("engine")])
def test_a_script_that_hangs_is_named(instance: Make, runtime: str) -> None:
    with derived(IMAGE, {f"{SCRIPTS}/10-hangs.sh": "sleep 600\n"}) as image:
        database = impatient(instance, image, runtime)
        said = database.fatal()
        assert "its container made no progress within 8 s" in said
        assert f"in init script /{SCRIPTS}/10-hangs.sh of its image" in said
        must("sockwake", "rm", "pg1", "--purge", timeout=120)


@pytest.mark.soak
def test_a_script_that_hangs_is_noticed_beside_other_work() -> None:
    """Of the caller's control group, in which crun's container is then."""
    with (
        derived(IMAGE, {f"{SCRIPTS}/10-hangs.sh": "sleep 600\n"}) as image,
        start("sh", "-c", "while :; do :; done") as work,
    ):
        try:
            ran = new(image, "--start-timeout", "4s")
        finally:
            work.kill()
    ran.expect(1, "its container made no progress within 4 s")
    nothing_is_left()


def test_a_script_that_fails_is_named_with_its_line() -> None:
    with derived(IMAGE, {f"{SCRIPTS}/20-fails.sql": FAILS}) as image:
        ran = new(image).expect(
            1,
            f"its container ended with status 3 in init script /{SCRIPTS}/20-fails.sql",
            f'psql:/{SCRIPTS}/20-fails.sql:2: ERROR:  relation "nowhere" does not exist',
            "(hint: mend it in the image; nothing was kept of this attempt)",
        )
        assert len(ran.err.splitlines()) == 2, ran
    nothing_is_left()


def test_a_stop_is_heeded_in_the_middle_of_a_script(instance: Make) -> None:
    with derived(IMAGE, {f"{SCRIPTS}/10-slow.sh": "sleep 600\n"}) as image:
        database = instance("--no-provision", "--image", image)
        client = database.start_psql()
        until(
            "initdb is done",
            Path("/var/lib/sockwake/pg1/.initialising/18/docker/PG_VERSION").exists,
        )
        units = (database.socket, database.proxy, database.backend)  # else its client wakes it
        must("systemctl", "stop", *units, timeout=50)
        assert run("docker", "inspect", "sockwake-pg1_init").status != 0
        client.kill()
        client.communicate()
        must("sockwake", "rm", "pg1", "--purge", timeout=120)


def test_progress_is_shown_and_an_interrupted_one_can_be_run_again(known: Know) -> None:
    known("pg1")
    with derived(IMAGE, {f"{SCRIPTS}/10-slow.sh": "sleep 14\n"}) as image:
        maker = start("sockwake-new", "pg1", "--version", "18", "--image", image)
        until(
            "initdb is done",
            Path("/var/lib/sockwake/pg1/.initialising/18/docker/PG_VERSION").exists,
        )
        maker.send_signal(signal.SIGINT)
        assert maker.wait(60) == 130
        nothing_is_left()
        shown = new(image).expect(0).err
        assert f"in /{SCRIPTS}/10-slow.sh" in shown and "making the cluster: 1" in shown, shown
        must("sockwake", "rm", "pg1", "--purge")
        assert new(image, "--quiet").expect(0).err == ""
        must("sockwake", "rm", "pg1", "--purge")
