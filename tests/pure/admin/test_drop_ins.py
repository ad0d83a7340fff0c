"""What systemd has read of an instance, as `sockwake apply` compares it."""

from pathlib import Path

from env_file import PROJECT, env, text_of
from generator import generate
from sockwake.admin.change import drop_ins
from sockwake.config.instance import Instance, Name

ONE, OTHER = Instance(Name("a")), Instance(Name("aa"))


def read(base: Path, texts: dict[bytes, bytes], instance: Instance = ONE) -> dict[str, str]:
    generate(base, texts)
    return drop_ins._texts(str(base / "out"), instance)


def test_it_is_all_that_was_generated_for_it_and_nothing_of_another(tmp_path: Path) -> None:
    text = env(MEMORY="64M", RUNTIME="crun", MAX_CLIENTS="5").encode()
    found = read(tmp_path / "g", {b"a": text, b"aa": text})
    assert found.keys() == {
        "pg-check@a.service.d/description.conf",
        "pg-postgres@a.service.d/description.conf",
        "pg-postgres@a.service.d/runtime.conf",
        "pg-postgres@a.service.d/upper-limits.conf",
        "pg-proxy@a.service.d/description.conf",
        "pg-proxy@a.service.d/limit.conf",
        "pg-proxy@a.socket.d/listen.conf",
    }
    assert len(drop_ins._texts(str(tmp_path / "g/out"), OTHER)) == len(found)
    wants = tmp_path / "g/out/timers.target.wants"
    wants.mkdir()
    (wants / "pg-x@a.timer").write_text("1")
    (wants / "pg-x@aa.timer").write_text("2")
    more = drop_ins._texts(str(tmp_path / "g/out"), ONE)
    assert more == found | {"timers.target.wants/pg-x@a.timer": "1"}


def test_the_places_are_those_of_its_socket(tmp_path: Path) -> None:
    found = read(tmp_path / "g", {b"a": env(LISTEN="127.0.0.1,::1,/run/x").encode()})
    assert drop_ins.streams(found, ONE) == (("127.0.0.1", 25432), ("::1", 25432), ("/run/x", 0))
    found = read(tmp_path / "h", {b"a": text_of(PROJECT).encode()})
    assert drop_ins.streams(found, ONE) == (("127.0.0.1", 8080), ("::1", 8080), ("127.0.0.1", 2222))


def test_of_another_name_of_a_directory_there_is_nothing(tmp_path: Path) -> None:
    assert drop_ins._texts(str(tmp_path / "none"), ONE) == {}


def test_a_change_of_what_only_a_wake_reads_changes_nothing_there(tmp_path: Path) -> None:
    before = read(tmp_path / "g", {b"a": env().encode()})
    assert read(tmp_path / "h", {b"a": env(IDLE="1h", CHECK="none").encode()}) == before
    assert read(tmp_path / "i", {b"a": env(PORT="1").encode()}) != before
