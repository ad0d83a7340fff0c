"""Which containers of an engine mount a directory, whoever made them."""

from pathlib import Path

import pytest

from daemon import Daemon
from engine_lists import answers, thing
from sockwake.engine import holdings
from sockwake.engine.api import Engine, EngineError

DATA = "/srv/data"


@pytest.mark.parametrize(
    ("mount", "place"),
    [
        ({"Type": "bind", "Source": DATA}, DATA),
        ({"Type": "bind", "Source": f"{DATA}/18/docker"}, f"{DATA}/18/docker"),
        ({"Type": "bind", "Source": "/srv"}, "/srv"),
        ({"Type": "bind", "Source": "/srv/data-too"}, ""),
        ({"Type": "volume", "Name": "moved", "Source": "/var/lib/docker/v"}, DATA),
        ({"Type": "volume", "Name": "plain", "Source": DATA}, ""),
        ({"Type": "tmpfs"}, ""),
    ],
)
def test_a_bind_a_part_a_parent_and_a_volume_of_a_directory_count(
    daemon: Daemon, mount: dict[str, str], place: str
) -> None:
    volumes = [
        {"Name": "moved", "Options": {"type": "none", "o": "bind", "device": DATA}},
        {"Name": "plain", "Options": None},
    ]
    answers(daemon, [thing("other", None, Mounts=[mount])], volumes=volumes)
    found = holdings.mounting(Engine(str(daemon.server_address)), DATA)
    assert [where for _, where in found] == ([place] if place else [])


def test_a_link_to_the_data_counts(daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to("data")
    mount = {"Type": "bind", "Source": f"{tmp_path}/link"}
    answers(daemon, [thing("other", {}, Mounts=[mount])])
    assert list(holdings.mounting(Engine(str(daemon.server_address)), f"{tmp_path}/data"))


def test_an_engine_that_is_gone_or_talks_nonsense_is_an_error(
    daemon: Daemon, tmp_path: Path
) -> None:
    with pytest.raises(EngineError, match="does not answer at"):
        holdings.mounting(Engine(f"{tmp_path}/nothing.sock"), DATA)
    daemon.answers["GET /networks/front"] = 200, b"<html>"
    engine = Engine(str(daemon.server_address))
    with pytest.raises(EngineError, match="no JSON"):
        holdings.find(engine, "network", "front")
    assert holdings.find(engine, "volume", "nosuch") is None
