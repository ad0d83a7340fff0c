"""instance.env: what is read, and what is refused with file and line."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from env_file import COMMAND, CONTAINER, GOOD, NATIVE, env, settings, text_of
from sockwake.config.envfile import parse
from sockwake.config.settings import load
from sockwake.errors import FAILED, UNKNOWN, SockwakeError
from tree import Tree


def refused(text: str) -> str:
    with pytest.raises(SockwakeError) as caught:
        settings(text)
    assert caught.value.status == FAILED, "a bad file is no bad usage"
    return caught.value.whole


def test_every_key_arrives_where_it_belongs() -> None:
    read = settings(
        env(
            LISTEN="127.0.0.1,::1,/run/db/.s.PGSQL.7",
            PORT="7",
            IDLE="1h 30min",
            VERSION="17.4",
            IMAGE="a/b:c",
            DB_USER="Größe x",
            DB_NAME="d,b",
            DATA="/srv/d",
            SERVICE="db",
            START_TIMEOUT="5min",
            TLS="yes",
        )
    )
    assert (read.kind, read.listen, read.port) == (
        "postgres",
        ("127.0.0.1", "::1", "/run/db/.s.PGSQL.7"),
        7,
    )
    assert (read.idle, read.start_timeout) == (5400, 300)
    assert (read.version, read.major, read.image) == ("17.4", 17, "a/b:c")
    assert (read.db_user, read.db_name, read.data, read.service) == (
        "Größe x",
        "d,b",
        "/srv/d",
        "db",
    )
    assert read.tls


def test_what_may_be_left_out_has_a_default() -> None:
    read = settings(env())
    assert (read.data, read.service, read.start_timeout, read.tls) == (
        "/var/lib/sockwake/pg1",
        "",
        90,
        False,
    )


@pytest.mark.parametrize(
    ("version", "cluster"),
    [
        ("17", "/srv/d"),
        ("17.9", "/srv/d"),
        ("18", "/srv/d/18/docker"),
        ("18.1", "/srv/d/18/docker"),
        ("19", "/srv/d/19/docker"),
    ],
)
def test_the_cluster_is_where_the_official_image_of_that_version_puts_it(
    version: str, cluster: str
) -> None:
    assert settings(env(VERSION=version, DATA="/srv/d")).cluster == cluster


@pytest.mark.parametrize("data", ["", "/srv/d"])
def test_in_another_root_the_data_are_in_that_root(data: str) -> None:
    assert settings(env(DATA=data), "/image").data == "/image" + (data or "/var/lib/sockwake/pg1")


def test_comments_and_empty_lines_are_skipped_and_a_last_line_needs_no_end() -> None:
    assert parse("# a=b\n\n   \nA=1\nB=2", "f") == {"A": "1", "B": "2"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (env() + "COLOUR=red\n", "/etc/sockwake/pg1/instance.env:9: unknown key 'COLOUR'"),
        (
            "# first\n\n" + env() + "PORT=1\n",
            "/etc/sockwake/pg1/instance.env:11: key 'PORT' is there twice",
        ),
        (env() + "what is this", "/etc/sockwake/pg1/instance.env:9 is not KEY=value: what is this"),
        (
            env() + "export DATA=/x",
            "/etc/sockwake/pg1/instance.env:9 is not KEY=value: export DATA=/x",
        ),
        (env() + " DATA=/x", "/etc/sockwake/pg1/instance.env:9 is not KEY=value:  DATA=/x"),
        (env() + "=x", "/etc/sockwake/pg1/instance.env:9 is not KEY=value: =x"),
        (env(DB_NAME="'x'"), "/etc/sockwake/pg1/instance.env:8: the value of DB_NAME has"),
        (env(IMAGE="a$b"), "/etc/sockwake/pg1/instance.env:6: the value of IMAGE has"),
        (env(IMAGE="a "), "/etc/sockwake/pg1/instance.env:6: the value of IMAGE has"),
        (env(PORT=""), "/etc/sockwake/pg1/instance.env: key 'PORT' is missing"),
        ("", "/etc/sockwake/pg1/instance.env: key 'KIND' is missing"),
        (env(KIND="mysql"), "/etc/sockwake/pg1/instance.env: kind 'mysql' is not known: postgres"),
        (env(PORT="0"), "/etc/sockwake/pg1/instance.env: port '0' is not a number from 1 to 65535"),
        (env(PORT="65536"), "/etc/sockwake/pg1/instance.env: port '65536' is not a number"),
        (env(PORT="025432"), "/etc/sockwake/pg1/instance.env: port '025432' is not a number"),
        (env(PORT="9" * 5000), "/etc/sockwake/pg1/instance.env: port '999"),
        (env(PORT="٣"), "/etc/sockwake/pg1/instance.env: port '٣' is not a number"),
        (
            env(LISTEN="localhost"),
            "/etc/sockwake/pg1/instance.env: 'localhost' is neither an IP address nor",
        ),
        (
            env(LISTEN="127.0.0.1,"),
            "/etc/sockwake/pg1/instance.env: '' is neither an IP address nor",
        ),
        (env(LISTEN="/run/../etc/x"), "/etc/sockwake/pg1/instance.env: '/run/../etc/x' is neither"),
        (env(LISTEN="/run/.."), "/etc/sockwake/pg1/instance.env: '/run/..' is neither"),
        (
            env(LISTEN="/" + "x" * 108),
            "/etc/sockwake/pg1/instance.env: '/" + "x" * 108 + "' is longer than the 107 bytes",
        ),
        (env(LISTEN="/run/%i"), "/etc/sockwake/pg1/instance.env: '/run/%i' is neither"),
        (env(IDLE="soon"), "/etc/sockwake/pg1/instance.env: 'soon' is not a time span"),
        (
            env(IDLE="10ms"),
            "/etc/sockwake/pg1/instance.env: idle time '10ms' is shorter than a second",
        ),
        (
            env(VERSION="9.6"),
            "/etc/sockwake/pg1/instance.env: version '9.6' is not a PostgreSQL version",
        ),
        (
            env(VERSION="18."),
            "/etc/sockwake/pg1/instance.env: version '18.' is not a PostgreSQL version",
        ),
        (env(VERSION="9" * 5000), "/etc/sockwake/pg1/instance.env: version '999"),
        (env(TLS="maybe"), "/etc/sockwake/pg1/instance.env: TLS 'maybe' is not known: no, yes"),
        (env(START_TIMEOUT="0"), "/etc/sockwake/pg1/instance.env: start timeout '0' is not"),
        (
            env(START_TIMEOUT="infinity"),
            "/etc/sockwake/pg1/instance.env: start timeout 'infinity' is not",
        ),
        (env(DATA="srv/d"), "/etc/sockwake/pg1/instance.env: DATA 'srv/d' is not an absolute path"),
    ],
    ids=lambda text: text.removeprefix("/etc/sockwake/pg1/instance.env:")[:50]
    if text.startswith("/etc")
    else "",
)
def test_what_is_wrong_is_refused_with_its_place(text: str, message: str) -> None:
    assert refused(text).startswith(message)


@pytest.mark.parametrize(
    "text",
    [env().replace("\n", "\r\n"), env() + "DATA=/a\rSERVICE=b\n", env() + "DATA=/a\0\n"],
    ids=["crlf", "cr", "nul"],
)
def test_line_ends_that_other_readers_see_differently_are_refused(tree: Tree, text: str) -> None:
    with pytest.raises(SockwakeError, match="control character|not KEY=value"):
        load(tree.write_env("pg1", text))


def test_no_such_instance_has_its_own_status(tree: Tree) -> None:
    with pytest.raises(SockwakeError, match="there is no instance 'pg1'") as caught:
        load(tree.instance("pg1"))
    assert caught.value.status == UNKNOWN


def test_what_cannot_be_read_is_one_error_naming_the_file(tree: Tree) -> None:
    instance = tree.write_env("pg1", "")
    Path(instance.env_file).write_bytes(b"A=\xff\n")
    with pytest.raises(SockwakeError, match=f"cannot read {instance.env_file}: "):
        load(instance)
    Path(instance.env_file).unlink()
    Path(instance.env_file).mkdir()
    with pytest.raises(SockwakeError, match=f"cannot read {instance.env_file}: is a directory"):
        load(instance)


@given(
    st.one_of(
        st.text(),
        st.lists(
            st.one_of(
                st.text(max_size=20),
                st.tuples(
                    st.sampled_from([*GOOD, "DATA", "SERVICE", "X"]), st.text(max_size=8)
                ).map("=".join),
                st.sampled_from(env().splitlines()),
            )
        ).map("\n".join),
    )
)
@example(env(START_TIMEOUT="9" * 400))
def test_no_text_is_more_than_an_error(text: str) -> None:
    try:
        read = settings(text)
    except SockwakeError as error:
        assert error.message.startswith("/etc/sockwake/pg1/instance.env")
    else:
        assert read.port and read.listen and 1 <= read.start_timeout < 1e9


# what every kind's instance.env has, and what only its own may
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


def test_a_native_program_is_asked_whether_anybody_is_there() -> None:
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
        (CONTAINER, {"SOCKET_MODE": "660"}, "socket mode '660' is not valid"),
        (CONTAINER, {"SOCKET_USER": "a b"}, "'a b' is not the name of a user"),
        (CONTAINER, {"SOCKET_USER": "%u"}, "'%u' is not the name of a user"),
        (
            CONTAINER,
            {"KIND": "Container"},
            "kind 'Container' is not known: postgres, container, command, native",
        ),
    ],
    ids=str,
)
def test_what_is_for_another_kind_or_no_value_is_refused(
    keys: dict[str, str], changed: dict[str, str], message: str
) -> None:
    assert refused(text_of(keys, **changed)) == f"/etc/sockwake/pg1/instance.env: {message}"


@pytest.mark.parametrize("kind", ["container", "command", "native"])
@pytest.mark.parametrize("key", ["VERSION", "IMAGE", "DB_USER", "DB_NAME"])
def test_only_a_postgresql_needs_what_only_it_has(kind: str, key: str) -> None:
    assert (
        settings(
            text_of({name: value for name, value in GOOD.items() if name != key}, KIND=kind)
        ).kind
        == kind
    )
    assert refused(env(**{key: ""})) == f"/etc/sockwake/pg1/instance.env: key '{key}' is missing"
