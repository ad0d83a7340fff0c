"""Which containers, networks and volumes are an instance's: by label, never by name."""

import pytest

from daemon import Daemon
from engine_lists import OURS, PROJECT, answers, thing
from sockwake.config.instance import Instance, Name
from sockwake.engine import belongings
from sockwake.engine.api import Engine, EngineError
from sockwake.errors import EXISTS, SockwakeError

PG1 = Instance(Name("pg1"))
BY_HAND = {**PROJECT, "com.docker.compose.project.config_files": "/etc/sockwake/pg1/compose.yaml"}
UNLABELLED_INIT = {
    "com.docker.compose.project": "sockwake-pg1_init",
    "com.docker.compose.project.config_files": (
        "/etc/sockwake/.new-pg1/compose.yaml,/run/sockwake/pg1/sockwake-pg1_init.json"
    ),
}
NOT_OURS = [
    {},
    {"io.sockwake.instance": "pg2"},
    PROJECT,
    {**PROJECT, "com.docker.compose.project.config_files": "/home/me/compose.yaml"},
]


@pytest.fixture
def engine(daemon: Daemon) -> Engine:
    """An engine without anything in it, that allows every deletion."""
    answers(daemon)
    for path in (
        "containers/id-sockwake-pg1",
        "containers/id-sockwake-pg1_init",
        "networks/id-n",
        "networks/id-m",
    ):
        daemon.answers[f"DELETE /{path}"] = 204, b""
    return Engine(str(daemon.server_address))


def deleted(daemon: Daemon) -> list[str]:
    return [
        asked.removeprefix("DELETE /") for asked in daemon.queries if asked.startswith("DELETE")
    ]


@pytest.mark.parametrize("labels", [None, *NOT_OURS])
def test_a_container_of_another_owner_is_left_and_reported(
    daemon: Daemon, engine: Engine, labels: dict[str, str] | None
) -> None:
    answers(daemon, [thing("sockwake-pg1", labels), thing("sockwake-pg1_init", labels)])
    belongings.remove(engine, PG1)
    belongings.remove_container(engine, PG1, "sockwake-pg1_init")
    assert deleted(daemon) == [] and not belongings.has_container(engine, PG1)
    for is_new in (False, True):
        with pytest.raises(
            SockwakeError, match="there is a container sockwake-pg1 that is not of instance 'pg1'"
        ) as caught:
            belongings.require_free(engine, PG1, [], [], is_new=is_new)
        assert caught.value.status == EXISTS


@pytest.mark.parametrize("labels", [OURS, BY_HAND, UNLABELLED_INIT])
def test_containers_made_by_sockwake_or_from_its_files_are_removed(
    daemon: Daemon, engine: Engine, labels: dict[str, str]
) -> None:
    answers(daemon, [thing("sockwake-pg1", labels), thing("sockwake-pg1_init", labels)])
    belongings.require_free(engine, PG1, [], [], is_new=True)
    belongings.remove_container(engine, PG1, "sockwake-pg1_init")
    assert deleted(daemon) == ["containers/id-sockwake-pg1_init"]
    belongings.remove(engine, PG1)
    assert deleted(daemon) == ["containers/id-sockwake-pg1_init", "containers/id-sockwake-pg1"]


def test_a_container_with_a_longer_name_is_ignored(daemon: Daemon, engine: Engine) -> None:
    answers(daemon, [thing("sockwake-pg1-old", {}), thing("my-sockwake-pg1", {})])
    belongings.require_free(engine, PG1, [], [], is_new=True)
    belongings.remove(engine, PG1)
    assert deleted(daemon) == []


def test_networks_are_removed_by_label_and_not_by_project(daemon: Daemon, engine: Engine) -> None:
    answers(daemon, [], [thing("n", {**OURS, **PROJECT}), thing("m", PROJECT)])
    belongings.remove(engine, PG1)
    assert deleted(daemon) == ["networks/id-n"]
    joined: dict[str, object] = {"Networks": {"m": {}}}
    answers(daemon, [thing("sockwake-pg1", OURS, NetworkSettings=joined)], [thing("m", PROJECT)])
    belongings.remove(engine, PG1)
    assert deleted(daemon)[1:] == ["containers/id-sockwake-pg1", "networks/id-m"], (
        "made before there was a label"
    )


@pytest.mark.parametrize(
    ("status", "is_said"), [(403, False), (409, False), (404, False), (500, True)]
)
def test_a_network_that_others_have_joined_stays(
    daemon: Daemon, engine: Engine, status: int, is_said: bool
) -> None:
    answers(daemon, [], [thing("n", OURS)])
    daemon.answers["DELETE /networks/id-n"] = status, b'{"message": "out of order"}'
    if is_said:
        with pytest.raises(EngineError, match="out of order"):
            belongings.remove(engine, PG1)
    else:
        belongings.remove(engine, PG1)


def test_volumes_are_those_with_the_label_or_of_its_own_container(
    daemon: Daemon, engine: Engine
) -> None:
    every = [
        thing("sockwake-pg1_a", OURS),
        thing("sockwake-pg1_b", PROJECT),
        thing("sockwake-pg1_c", PROJECT),
        thing("d", {}),
    ]
    mounts = [{"Type": "volume", "Name": "sockwake-pg1_b"}, {"Type": "volume", "Name": "d"}]
    answers(daemon, [thing("sockwake-pg1", OURS, Mounts=mounts)], [], every)
    assert belongings.volumes(engine, PG1) == ["sockwake-pg1_a", "sockwake-pg1_b"]
    answers(daemon, [thing("sockwake-pg1", {}, Mounts=mounts)], [], every)
    assert belongings.volumes(engine, PG1) == ["sockwake-pg1_a"]


def test_a_volume_with_a_name_is_mounted_whoever_made_it(daemon: Daemon, engine: Engine) -> None:
    mounts = [
        {"Type": "volume", "Name": "older"},
        {"Type": "volume", "Name": "a1" * 32},
        {"Type": "bind", "Source": "/srv"},
    ]
    answers(daemon, [thing("shop-web-1", OURS, Mounts=mounts)])
    assert belongings.mounted_volumes(engine, PG1) == ["older"]
    answers(daemon, [])
    assert belongings.mounted_volumes(engine, PG1) is None


@pytest.mark.parametrize("what", ["network", "volume"])
def test_a_network_or_volume_of_another_owner_is_an_error(
    daemon: Daemon, engine: Engine, what: str
) -> None:
    def require_free(labels: dict[str, str], *, is_new: bool) -> None:
        answers(daemon, **{f"{what}s": [thing("pages", labels)]})
        belongings.require_free(engine, PG1, ["pages"], ["pages"], is_new=is_new)

    require_free(OURS, is_new=True)
    require_free(PROJECT, is_new=False)
    for labels, is_new in (
        ({}, True),
        ({}, False),
        (PROJECT, True),
        ({"io.sockwake.instance": "pg2"}, False),
    ):
        with pytest.raises(
            SockwakeError, match=f"there is a {what} pages that is not of instance 'pg1'"
        ):
            require_free(labels, is_new=is_new)


def test_data_in_another_instance_s_container_are_refused(daemon: Daemon, engine: Engine) -> None:
    bind = {"Type": "bind", "Source": "/srv/shared/pages"}
    answers(
        daemon,
        [
            thing("sockwake-pg2", {"io.sockwake.instance": "pg2"}, Mounts=[bind]),
            thing("sockwake-pg1", OURS, Mounts=[bind]),
        ],
    )
    belongings.require_unseen(engine, PG1, "/srv/shared-too")
    for data in ("/srv/shared", "/srv/shared/pages", "/srv/shared/pages/inner"):
        with pytest.raises(
            SockwakeError, match="the container of instance 'pg2' has /srv/shared/pages"
        ):
            belongings.require_unseen(engine, PG1, data)
