"""instance.env of each kind: what it means, and the keys that only some kinds have."""

import pytest

from env_file import (
    COMMAND,
    CONTAINER,
    FILE,
    GOOD,
    NATIVE,
    PROJECT,
    env,
    refused,
    settings,
    text_of,
)


def test_a_container_is_reached_over_tcp_and_ready_when_it_answers_http() -> None:
    read = settings(text_of(CONTAINER))
    assert (read.kind, read.backend_port, read.ready, read.check, read.engine) == (
        "container",
        80,
        "http:/",
        "none",
        "docker",
    )
    assert (read.is_container, read.is_native, read.has_cluster, read.data, read.major) == (
        True,
        False,
        False,
        "",
        0,
    )


def test_a_program_is_reached_through_its_socket_or_its_port() -> None:
    for keys, port in ((COMMAND, 0), (COMMAND | {"BACKEND_PORT": "25441"}, 25441)):
        read = settings(text_of(keys))
        assert (read.backend_port, read.ready, read.check, read.socket_name) == (
            port,
            "tcp",
            "none",
            "socket",
        )
        assert (read.is_container, read.is_native, read.has_cluster, read.data) == (
            False,
            False,
            False,
            "/var/lib/sockwake/pg1",
        )


def test_a_native_program_has_the_check_that_is_built_in() -> None:
    read = settings(text_of(NATIVE))
    assert (read.ready, read.check, read.is_native, read.is_container, read.backend_port) == (
        "start",
        "builtin",
        True,
        False,
        0,
    )


@pytest.mark.parametrize(
    ("idle", "every", "expected"),
    [
        ("3min", "", 30),
        ("10s", "", 10),
        ("infinity", "", 30),
        ("3min", "5s", 5),
        ("1s", "1min", 60),
    ],
)
def test_it_is_asked_every_half_minute_or_when_it_could_sleep_at_the_earliest(
    idle: str, every: str, expected: float
) -> None:
    assert settings(env(IDLE=idle, CHECK_EVERY=every)).check_every == expected


@pytest.mark.parametrize(
    ("keys", "good"),
    [
        (CONTAINER, ["tcp", "http:/", "http:/health?x=1&y"]),
        (COMMAND, ["tcp", "http:/", "http:/health?x=1&y"]),
        (NATIVE, ["start", "notify"]),
        (GOOD, ["postgres"]),
    ],
    ids=["container", "command", "native", "postgres"],
)
def test_each_kind_can_be_ready_in_its_own_ways_alone(
    keys: dict[str, str], good: list[str]
) -> None:
    for ready in (
        "tcp",
        "http:/",
        "http:/health?x=1&y",
        "start",
        "notify",
        "postgres",
        "http:",
        "http://x y",
        "https:/",
        "TCP",
    ):
        if ready in good:
            assert settings(text_of(keys, READY=ready)).ready == ready
        else:
            assert f"an instance of kind '{keys['KIND']}' cannot be ready by '{ready}'" in refused(
                text_of(keys, READY=ready)
            )


@pytest.mark.parametrize(
    ("keys", "changed", "message"),
    [
        (GOOD, {"BACKEND_PORT": "5432"}, "BACKEND_PORT is not for an instance of kind 'postgres'"),
        (NATIVE, {"BACKEND_PORT": "80"}, "BACKEND_PORT is not for an instance of kind 'native'"),
        (CONTAINER, {"TLS": "yes"}, "TLS=yes is only for kind 'postgres'"),
        (COMMAND, {"TLS": "yes"}, "TLS=yes is only for kind 'postgres'"),
        (CONTAINER, {"BACKEND_PORT": "080"}, "port '080' is not a number from 1 to 65535"),
        (CONTAINER, {"ENGINE": "lxc"}, "engine 'lxc' is not known: docker, podman"),
        (CONTAINER, {"CHECK": "true"}, "check 'true' is not the absolute path of a program"),
        (
            CONTAINER,
            {"CHECK_EVERY": "0"},
            "check interval '0' is not a finite time of a second or more",
        ),
        (
            CONTAINER,
            {"CHECK_EVERY": "infinity"},
            "check interval 'infinity' is not a finite time of a second or more",
        ),
        (PROJECT, {"PORT": "80"}, "PORT is not for an instance of kind 'project'"),
        (CONTAINER, {"PORTS": "::1"}, "PORTS is not for an instance of kind 'container'"),
        (CONTAINER, {"PROJECT": "/srv"}, "PROJECT is not for an instance of kind 'container'"),
        (PROJECT, {"PROJECT": "srv"}, "PROJECT 'srv' is not an absolute path"),
        (PROJECT, {"PORTS": ""}, "key 'PORTS' is missing"),
        (CONTAINER, {"SOCKET_MODE": "660"}, "socket mode '660' is not valid"),
        (CONTAINER, {"SOCKET_USER": "a b"}, "'a b' is not the name of a user"),
        (CONTAINER, {"SOCKET_USER": "%u"}, "'%u' is not the name of a user"),
        (
            CONTAINER,
            {"KIND": "Container"},
            "kind 'Container' is not known: postgres, container, project, command, native",
        ),
    ],
    ids=str,
)
def test_what_is_for_another_kind_or_no_value_is_refused(
    keys: dict[str, str], changed: dict[str, str], message: str
) -> None:
    assert refused(text_of(keys, **changed)) == f"{FILE}: {message}"


@pytest.mark.parametrize("kind", ["container", "command", "native"])
@pytest.mark.parametrize("key", ["VERSION", "IMAGE", "DB_USER", "DB_NAME"])
def test_only_a_postgresql_needs_what_only_it_has(kind: str, key: str) -> None:
    assert (
        settings(
            text_of({name: value for name, value in GOOD.items() if name != key}, KIND=kind)
        ).kind
        == kind
    )
    assert refused(env(**{key: ""})) == f"{FILE}: key '{key}' is missing"
