"""instance.env: what is read, and what is refused with file and line."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from env_file import FILE, GOOD, env, refused, settings
from sockwake.config.envfile import parse
from sockwake.config.settings import load
from sockwake.errors import UNKNOWN, SockwakeError
from tree import Tree


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
        (env() + "COLOUR=red\n", f"{FILE}:9: unknown key 'COLOUR'"),
        ("# first\n\n" + env() + "PORT=1\n", f"{FILE}:11: key 'PORT' is there twice"),
        (env() + "what is this", f"{FILE}:9 is not KEY=value: what is this"),
        (env() + "export DATA=/x", f"{FILE}:9 is not KEY=value: export DATA=/x"),
        (env() + " DATA=/x", f"{FILE}:9 is not KEY=value:  DATA=/x"),
        (env() + "=x", f"{FILE}:9 is not KEY=value: =x"),
        (env(DB_NAME="'x'"), f"{FILE}:8: the value of DB_NAME has"),
        (env(IMAGE="a$b"), f"{FILE}:6: the value of IMAGE has"),
        (env(IMAGE="a "), f"{FILE}:6: the value of IMAGE has"),
        (env(PORT=""), f"{FILE}: key 'PORT' is missing"),
        ("", f"{FILE}: key 'KIND' is missing"),
        (env(KIND="mysql"), f"{FILE}: kind 'mysql' is not known: postgres"),
        (env(PORT="0"), f"{FILE}: port '0' is not a number from 1 to 65535"),
        (env(PORT="65536"), f"{FILE}: port '65536' is not a number"),
        (env(PORT="025432"), f"{FILE}: port '025432' is not a number"),
        (env(PORT="9" * 5000), f"{FILE}: port '999"),
        (env(PORT="٣"), f"{FILE}: port '٣' is not a number"),
        (env(LISTEN="localhost"), f"{FILE}: 'localhost' is neither an IP address nor"),
        (env(LISTEN="127.0.0.1,"), f"{FILE}: '' is neither an IP address nor"),
        (env(LISTEN="/run/../etc/x"), f"{FILE}: '/run/../etc/x' is neither"),
        (env(LISTEN="/run/.."), f"{FILE}: '/run/..' is neither"),
        (env(LISTEN="/" + "x" * 108), f"{FILE}: '/" + "x" * 108 + "' is longer than the 107 bytes"),
        (env(LISTEN="/run/%i"), f"{FILE}: '/run/%i' is neither"),
        (env(IDLE="soon"), f"{FILE}: 'soon' is not a time span"),
        (env(IDLE="10ms"), f"{FILE}: idle time '10ms' is shorter than a second"),
        (env(VERSION="9.6"), f"{FILE}: version '9.6' is not a PostgreSQL version"),
        (env(VERSION="18."), f"{FILE}: version '18.' is not a PostgreSQL version"),
        (env(VERSION="9" * 5000), f"{FILE}: version '999"),
        (env(TLS="maybe"), f"{FILE}: TLS 'maybe' is not known: no, yes"),
        (env(START_TIMEOUT="0"), f"{FILE}: start timeout '0' is not"),
        (env(START_TIMEOUT="infinity"), f"{FILE}: start timeout 'infinity' is not"),
        (env(DATA="srv/d"), f"{FILE}: DATA 'srv/d' is not an absolute path"),
    ],
    ids=lambda text: text.removeprefix(f"{FILE}:")[:50] if text.startswith(FILE) else "",
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
        assert error.message.startswith(FILE)
    else:
        assert read.port and read.listen and 1 <= read.start_timeout < 1e9
