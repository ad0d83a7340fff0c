"""An instance that crun wakes gets the newest image of its name when told so, and can go back."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator

import pytest

from derived import derived
from image_store import PLACE
from instances import Make
from program import must, run

NAME = "minor:18"


@pytest.fixture
def releases(image: str) -> Iterator[tuple[str, str]]:
    """Two releases of one image, the first of which has its name."""
    with (
        derived(image, {}, "ENV RELEASE=1", name="first:18") as first,
        derived(image, {}, "ENV RELEASE=2", name="second:18") as second,
    ):
        must("docker", "tag", first, NAME)
        yield first, second
        run("docker", "rmi", NAME)
    run("sockwake", "images", "prune")


def release(pid: int) -> str:
    with open(f"/proc/{pid}/environ", "rb") as file:
        variables = dict(each.partition(b"=")[::2] for each in file.read().split(b"\0"))
    return variables[b"RELEASE"].decode()


def test_it_takes_effect_at_the_next_wake_and_can_be_taken_back(
    instance: Make, releases: tuple[str, str]
) -> None:
    database = instance("--image", NAME, "--idle", "1s")
    database.psql("create table kept as select 1 as n")
    must("docker", "tag", releases[1], NAME)
    run("sockwake", "update", "pg1", "--no-wake").expect(0, "with its next wake")
    with database.connect() as client:
        assert client.value("select n from kept") == "1"
    database.asleep()
    found = []
    for step in ((), ("update", "pg1"), ("update", "--back", "pg1"), ("update", "--all")):
        if step:
            run("sockwake", *step).expect(0)
        with database.connect() as client:
            found.append(release(database.server_pid()))
            assert client.value("select n from kept") == "1"
        database.asleep()
    assert found == ["2", "2", "1", "2"]
    for _ in ("of the engine", "of the store"):  # no registry knows it
        ran = run("sockwake", "update", "pg1")
        ran.expect(0, "sockwake: warning: ", f"newest image of {NAME} on this machine already")
        run("docker", "rmi", NAME)


@pytest.mark.fault
def test_each_that_sleeps_is_proven_and_one_that_does_not_answer_goes_back_by_itself(
    instance: Make, releases: tuple[str, str], image: str
) -> None:
    with derived(image, {}, "ENV RELEASE=3 PGDATA=/nowhere", name="broken:18") as broken:
        good = instance("--image", NAME, idle="1min")
        good.psql()
        must("docker", "tag", broken, NAME)
        run("sockwake", "update", "pg1").expect(0, "with its next wake")
        run("sockwake", "update", "--back", "pg1").expect(0, "with its next wake")
        good.put_to_sleep()
        run("sockwake", "update", "pg1").expect(1, "does not answer with image", "cannot start")
        with good.connect():
            assert release(good.server_pid()) == "1"
        good.put_to_sleep()
        must("docker", "tag", releases[1], NAME)
        ran = run("sockwake", "update", "--all", "--json").expect(0)
        assert [each["state"] for each in json.loads(ran.out)] == ["proven"]
        assert not good.is_awake()
        with good.connect():
            assert release(good.server_pid()) == "2"
        good.put_to_sleep()


@pytest.mark.soak
def test_two_updates_under_a_client_leave_the_image_that_runs(
    instance: Make, releases: tuple[str, str], image: str
) -> None:
    """It is neither that of the bundle nor the one before; what mounts it would lose its mounts."""
    with derived(image, {}, "ENV RELEASE=3", name="third:18") as third:
        database = instance("--image", NAME, idle="1min")
        with database.connect() as client:
            for newer in (releases[1], third):
                must("docker", "tag", newer, NAME)
                run("sockwake", "update", "pg1").expect(0, "with its next wake")
            run("sockwake", "images", "prune").expect(0)
            assert client.value("select 1") == "1"
            database.psql("do $$ begin end $$")  # another session, and a library of the image's
            assert release(database.server_pid()) == "1"
        database.put_to_sleep()
        run("sockwake", "images", "prune").expect(0, "Removed ")


@pytest.mark.soak
def test_an_edit_of_other_things_changes_no_image(
    instance: Make, releases: tuple[str, str]
) -> None:
    database = instance("--image", NAME)
    must("docker", "tag", releases[1], NAME)
    database.add_guc("work_mem=7MB")
    assert database.psql("show work_mem") == "7MB"
    with database.connect():
        assert release(database.server_pid()) == "1"


@pytest.mark.soak
def test_no_client_waits_for_an_image_that_is_being_fetched(instance: Make) -> None:
    """Neither of a wake that makes the bundle anew, nor while a command makes it."""
    database = instance()
    fetching = os.open(PLACE, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(fetching, fcntl.LOCK_EX)
        database.set("IDLE", "2s")
        assert database.psql() == "1"
        database.asleep()
        run("sockwake", "set", "pg1", "IDLE=1s").expect(0, "Changed pg1")
    finally:
        os.close(fetching)
    assert database.psql() == "1"
    database.asleep()


def test_what_cannot_be_updated_is_said_and_stays(instance: Make) -> None:
    instance("--no-provision")
    run("sockwake", "update", "pg1").expect(1, "has no bundle yet")
    run("sockwake", "update", "--back", "pg1").expect(1, "has no bundle yet")
    run("sockwake", "update").expect(2, "say which instances, or --all")
    run("sockwake", "update", "pg1", "--all").expect(2, "say which instances, or --all")
    run("sockwake", "update", "nosuch").expect(5)
    instance("--runtime", "engine", "--no-provision", name="pg2")
    run("sockwake", "update", "pg2").expect(1, "is not woken by crun")
