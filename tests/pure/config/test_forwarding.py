"""The file "forward" of an instance: what it may say, and what an edit of it is told."""

from pathlib import Path

import pytest

from sockwake.config import forwarding
from sockwake.config.instance import Instance, Name
from sockwake.errors import FAILED, UNKNOWN, USAGE, SockwakeError


def instance(tmp_path: Path, text: str | None) -> Instance:
    etc = tmp_path / "etc/sockwake/pg1"
    etc.mkdir(parents=True)
    if text is not None:
        (etc / "forward").write_text(text)
    return Instance(Name("pg1"), str(tmp_path))


@pytest.mark.parametrize(
    ("places", "check", "text"),
    [
        (["db.example.com:5432"], "", "TARGETS=db.example.com:5432\nCHECK=tcp\n"),
        (
            ["[::1]:5432", "10.0.0.1:1"],
            "",
            "TARGETS=[::1]:5432,10.0.0.1:1\nCHECK=http:8008/primary\n",
        ),
        (["a:1", "b:2", "a:1"], "tcp", "TARGETS=a:1,b:2\nCHECK=tcp\n"),
        (["a:1"], "https:8008/primary?lag=1", "TARGETS=a:1\nCHECK=https:8008/primary?lag=1\n"),
    ],
)
def test_what_is_written_is_what_is_read(
    tmp_path: Path, places: list[str], check: str, text: str
) -> None:
    assert forwarding.Forwarding(places, check).text == text
    read = forwarding.of(instance(tmp_path, text))
    assert read and read.text == text


@pytest.mark.parametrize(
    "place",
    ["", "a", "a:", ":5432", "a:0", "a:65536", "::1:5432", "[a]:1", "-a:1", "a b:1", "a,b:1"],
)
def test_what_is_no_place_of_a_server_is_refused(place: str) -> None:
    with pytest.raises(SockwakeError) as caught:
        forwarding.Forwarding([place])
    assert caught.value.status == USAGE


@pytest.mark.parametrize("check", ["http", "http:8008", "ftp:1/x", "http:x/", "http:1/a b", "udp"])
def test_what_tells_no_leader_is_refused(check: str) -> None:
    with pytest.raises(SockwakeError) as caught:
        forwarding.Forwarding(["a:1"], check)
    assert caught.value.status == USAGE


@pytest.mark.parametrize("text", ["", "CHECK=tcp\n", "TARGETS=\n", "TARGETS=a:1\nX=1\n", "a:1\n"])
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, text: str) -> None:
    broken = instance(tmp_path, text)
    with pytest.raises(SockwakeError) as caught:
        forwarding.of(broken)
    assert caught.value.status == FAILED and forwarding.path(broken) in caught.value.message
    assert forwarding.places(broken) == [] and forwarding.is_there(broken)


def test_an_instance_without_the_file_is_its_own(tmp_path: Path) -> None:
    own = instance(tmp_path, None)
    assert forwarding.of(own) is None and not forwarding.is_there(own)
    forwarding.require_none(own)


def test_nothing_may_wake_one_with_it_and_the_way_back_is_told(tmp_path: Path) -> None:
    led = instance(tmp_path, "TARGETS=a:1\n")
    with pytest.raises(SockwakeError, match="'pg1' is forwarded") as caught:
        forwarding.require_none(led)
    assert caught.value.hint == "sockwake forward pg1 --back ends that"
    assert caught.value.status != UNKNOWN
