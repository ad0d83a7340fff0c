"""Instances baked into a tree: the image that is there, what is settled, the preset, the bytes."""

from __future__ import annotations

import json
import os
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from sockwake.config import resolved
from sockwake.oci import needs
from tree import SOCKWAKE, Tree, run

IMAGES = "var/lib/sockwake/images"
SHIPPED = "usr/share/sockwake/images"
WANTS = "etc/systemd/system/sockets.target.wants"
PRESET = "etc/systemd/system-preset/50-sockwake.preset"
NEW = ("new", "pg1", "--version", "18")

pytestmark = pytest.mark.skipif(
    not shutil.which("docker-compose"), reason="docker-compose is not installed"
)


def put_image(tree: Tree, place: str = IMAGES, **config: object) -> str:
    """An image postgres:18 in the tree; its digest."""
    volumes: dict[str, object] = {"/var/lib/postgresql": {}}
    said = {"Cmd": ["postgres"], "Env": ["PATH=/bin"], "Volumes": volumes, **config}
    text = json.dumps({"architecture": "amd64", "config": said})
    digits = sha256(text.encode()).hexdigest()
    image = tree.path / place / digits
    (image / "rootfs/bin").mkdir(parents=True)
    (image / "rootfs/bin/postgres").write_text("x")
    (image / "rootfs/links").symlink_to("/etc")  # which is a directory here
    (image / "config.json").write_text(text)
    image.parent.chmod(0o700)
    noted = {"names": ["docker.io/library/postgres:18"], "engine_ids": [], "size": 1}
    (image / "notes.json").write_text(json.dumps(noted))
    return f"sha256:{digits}"


@pytest.mark.parametrize("place", [IMAGES, SHIPPED])
def test_an_image_of_the_tree_is_taken_and_needed(tree: Tree, place: str) -> None:
    digest = put_image(tree, place)
    assert tree.sockwake(*NEW).status == 0
    assert resolved.image(tree.instance("pg1")) == ("postgres:18", digest)
    assert needs.needed(str(tree)) == {digest: ["pg1"]}
    assert tree.sockwake("images", "rm", "postgres:18").status != 0
    tree.sockwake("rm", "pg1")
    assert needs.needed(str(tree)) == {}


def test_what_compose_makes_of_the_files_is_beside_them(tree: Tree) -> None:
    put_image(tree)
    assert tree.sockwake(*NEW, "--env", "TOKEN=se$cret", "--set", "work_mem=8MB").status == 0
    instance = tree.instance("pg1")
    told = {
        "SOCKWAKE_NAME": "pg1",
        "SOCKWAKE_ETC": "/etc/sockwake/pg1",
        "SOCKWAKE_BACKEND": "/run/sockwake/pg1/backend",
        "SOCKWAKE_DATA": "/var/lib/sockwake/pg1",
    }
    found = resolved.config(instance, told)
    assert found
    (service,) = found["services"].values()
    assert service["environment"] == {"TOKEN": "se$$cret"} and "work_mem=8MB" in service["command"]
    assert [each["source"] for each in service["volumes"]] == [
        "/run/sockwake/pg1/backend",
        "/var/lib/sockwake/pg1",
    ]
    text = Path(instance.resolved_file).read_text()
    assert "cret" not in text and str(tree) not in text


def test_a_file_of_variables_is_written_as_it_can_be_read_without_compose(
    tree: Tree, tmp_path: Path
) -> None:
    put_image(tree)
    (tmp_path / "variables").write_text("# mine\nA='one two'\nexport B=$A # three\n")
    assert tree.sockwake(*NEW, "--env-file", str(tmp_path / "variables")).status == 0
    instance = tree.instance("pg1")
    assert resolved.environment_of(instance) == {"A": "one two", "B": "one two"}
    assert os.stat(instance.variables_file).st_mode & 0o777 == 0o600


def test_what_the_image_has_its_server_do_is_written_into_compose_yaml(tree: Tree) -> None:
    put_image(tree, Cmd=["postgres", "-c", "shared_preload_libraries=x$y"])
    assert tree.sockwake(*NEW).status == 0
    text = Path(tree.instance("pg1").compose_file).read_text()
    assert '      - "shared_preload_libraries=x$$y"\n' in text


def test_an_image_that_crun_cannot_run_is_refused_and_nothing_is_left(tree: Tree) -> None:
    put_image(tree, Volumes={"/elsewhere": {}})
    before = tree.snapshot()
    ran = tree.sockwake(*NEW, "--enable")
    assert ran.status != 0 and "its image keeps data in /elsewhere" in ran.stderr
    assert tree.added_to(before) == []


def test_two_trees_get_the_same_bytes_modes_and_times(tmp_path: Path) -> None:
    found = []
    for number in range(2):
        tree = Tree(tmp_path / f"{'x' * number}tree")
        put_image(tree)
        env = {"SOURCE_DATE_EPOCH": "1700000000"}
        options = ("--enable", "--quiet", "--env", "A=b", "--root", str(tree))
        for name in ("pg1", "pg2"):
            ran = run(*SOCKWAKE, "new", name, "--version", "18", *options, env=env)
            assert ran.status == 0, ran
        paths = [tree.path / path for path in tree.snapshot() if not path.startswith("usr")]
        assert {path.lstat().st_mtime for path in paths if path.name != "run"} == {1700000000}
        found.append(tree.snapshot())
    assert found[0] == found[1] and f"{WANTS}/pg-proxy@pg1.socket" in found[0]
    ran = run(*SOCKWAKE, *NEW, "--root", str(tree), env={"SOURCE_DATE_EPOCH": "now"})
    assert ran.status == 2 and "SOURCE_DATE_EPOCH is 'now'" in ran.stderr


def test_preset_all_keeps_what_was_enabled(tree: Tree) -> None:
    (tree.path / "usr/lib/systemd/system-preset").mkdir()
    (tree.path / "usr/lib/systemd/system-preset/99-image.preset").write_text("disable *\n")
    for name in ("pg1", "pg2", "pg3"):
        tree.new(name, "--enable")
    tree.new("pg4")

    def enabled() -> list[str]:
        ran = run("systemctl", f"--root={tree}", "preset-all")
        assert ran.status == 0, ran
        return sorted(path.name[9:12] for path in (tree.path / WANTS).iterdir())

    assert enabled() == ["pg1", "pg2", "pg3"]
    assert tree.sockwake("rename", "pg1", "web").status == 0
    assert tree.sockwake("rm", "pg3").status == 0
    assert enabled() == ["pg2", "web"]
    assert (tree.path / PRESET).read_text().endswith("enable pg-proxy@.socket pg2 web\n")
    for name in ("pg2", "web"):
        tree.sockwake("rm", name)
    assert not (tree.path / PRESET).exists()


def test_an_enabling_that_fails_leaves_the_preset_as_it_was(tree: Tree) -> None:
    tree.new("pg1", "--enable")
    before = tree.snapshot()
    (tree.path / "usr/lib/systemd/system/pg-proxy@.socket").rename(tree.path / "away")
    ran = tree.sockwake("new", "pg2", "--version", "18", "--enable")
    (tree.path / "away").rename(tree.path / "usr/lib/systemd/system/pg-proxy@.socket")
    assert ran.status != 0 and tree.added_to(before) == []


def test_a_rehearsal_tells_what_is_done_and_does_nothing(tree: Tree) -> None:
    put_image(tree)
    before = tree.snapshot()
    ran = tree.sockwake(*NEW, "--enable", "--dry-run", "--json")
    told = json.loads(ran.stdout)
    assert tree.added_to(before) == []
    commands = ["docker-compose --project-name sockwake-pg1 config --format json"]
    enable = f"systemctl --root={tree} enable pg-proxy@pg1.socket"
    assert told["commands"] == [*commands, enable]
    assert tree.sockwake(*NEW, "--enable").status == 0
    made = {f"{tree}/{path}" for path in tree.added_to(before) if "target.wants" not in path}
    assert told["files"].keys() == {path for path in made if os.path.isfile(path)}
    assert told["files"][f"{tree}/{PRESET}"]["content"] == (tree.path / PRESET).read_text()
