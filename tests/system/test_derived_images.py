"""Images that are not quite the official one: other users, other libraries, extensions."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

import docker_engine
from database import IMAGE
from derived import SCRIPTS, derived
from instances import Make
from program import must, run
from soak import only_in_soak

pytestmark = [pytest.mark.makes, pytest.mark.usefixtures("image"), pytest.mark.engine]
PRELOADS = 'CMD ["postgres", "-c", "shared_preload_libraries={}", "-c", "work_mem=7MB"]'
ICU = "ENV POSTGRES_INITDB_ARGS='--locale-provider=icu --icu-locale=en-US'"


def status(name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(must("sockwake", "status", name, "--json"))
    return found


@pytest.mark.parametrize("user", ["{uid}:{gid}", *only_in_soak("postgres")])
@pytest.mark.parametrize("version", ["18", *only_in_soak("17")])
def test_an_image_without_root_works(instance: Make, version: str, user: str) -> None:
    base = f"postgres:{version}"
    ids = must("docker", "run", "--rm", "--network=none", "--entrypoint=id", base, "postgres")
    uid, gid = (word.partition("=")[2].partition("(")[0] for word in ids.split()[:2])
    with derived(base, {}, f"USER {user.format(uid=uid, gid=gid)}") as image:
        database = instance("--image", image, version=version)
        assert database.psql("show data_checksums") == "on"
        database.asleep()
        backend = database.run / "backend"
        for socket in backend.iterdir():
            socket.unlink()
        backend.rmdir()  # as a boot does
        assert database.psql() == "1"
        assert backend.stat().st_uid == int(uid)
        database.asleep()
        must("sockwake", "rm", "pg1", "--purge")


@pytest.fixture
def mapped_users(image: str) -> Iterator[None]:
    """Docker with users of its own, and so without an image."""
    with docker_engine.running_with({"userns-remap": "default"}):
        yield


@pytest.mark.usefixtures("mapped_users")
def test_an_engine_that_maps_users_is_refused_by_name() -> None:
    ran = run("sockwake-new", "pg1", "--version", "18", "--runtime", "engine")
    ran.expect(1, "the engine maps users (userns-remap in daemon.json)", "userns_mode: host")
    assert not os.path.exists("/etc/sockwake/pg1") and not os.path.exists("/var/lib/sockwake/pg1")


@pytest.mark.soak
@pytest.mark.parametrize("runtime", ["crun", "engine"])
def test_another_c_library_is_told_of_by_the_wake_that_meets_it(
    instance: Make, runtime: str
) -> None:
    """As after a pull: what the cluster remembers of its library is not what the image has."""
    with derived(IMAGE, {}, ICU) as image:
        database = instance("--image", image, "--runtime", runtime)
        database.psql("update pg_database set datcollversion = '1.0' where datname = 'postgres'")
        database.asleep()
        assert status("pg1")["collation_changed"] == []
        database.psql()
        database.asleep()
        assert status("pg1")["collation_changed"] == ["postgres"]
        said = must("sockwake", "status", "pg1")
        assert 'ALTER DATABASE … REFRESH COLLATION VERSION for "postgres"' in said, said
        advice = 'REINDEX DATABASE "postgres"; ALTER DATABASE "postgres" REFRESH'
        assert runtime == "crun" or advice in database.journal()
        database.psql("alter database postgres refresh collation version")
        database.asleep()
        database.psql()
        database.asleep()
        assert status("pg1")["collation_changed"] == []
        must("sockwake", "rm", "pg1", "--purge")


def test_an_image_with_extensions_wakes_works_and_sleeps(instance: Make) -> None:
    scripts = {f"{SCRIPTS}/10.sql": "create extension pg_stat_statements;\n"}
    preloads = PRELOADS.format("pg_stat_statements,pg_prewarm")
    with derived(IMAGE, scripts, preloads) as image:
        database = instance("--image", image)
        for _ in range(2):
            assert int(database.psql("select count(*) from pg_stat_statements")) > 0
            assert database.psql("show work_mem") == "7MB"
            database.asleep()
            # a background worker writes it when the server is shut down in order
            (database.cluster / "autoprewarm.blocks").unlink()
        assert status("pg1")["preloaded"] == ["pg_stat_statements", "pg_prewarm"]
        assert "  jobs  " not in must("sockwake", "status", "pg1")
        must("sockwake", "rm", "pg1", "--purge")


@pytest.mark.soak
def test_jobs_of_pg_cron_sleep_with_it_and_status_says_so(instance: Make) -> None:
    """The image of version 17 has Debian's postgresql-17-cron."""
    scripts = {f"{SCRIPTS}/10.sql": "create extension pg_cron;\n"}
    cron = PRELOADS.format("pg_cron").replace("work_mem=7MB", "cron.use_background_workers=on")
    with derived("postgres:17", scripts, cron) as image:
        database = instance("--image", image, version="17", idle="4s")
        database.psql("create table ticks (at timestamptz default now())")
        database.psql(
            "select cron.schedule('tick', '1 seconds', 'insert into ticks default values')"
        )
        with database.connect() as client:
            client.value("select pg_sleep(4)")
            assert int(client.value("select count(*) from ticks")) > 0
        database.asleep()
        assert status("pg1")["preloaded"] == ["pg_cron"]
        said = must("sockwake", "status", "pg1")
        assert "those of pg_cron run only while it is awake, and none wakes it" in said, said
        must("sockwake", "rm", "pg1", "--purge")
