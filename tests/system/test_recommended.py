"""A machine that has only what the package depends on: it wakes, and says what making takes."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from instances import Make
from oci_archive import directory, ocis, tar
from program import run

PROGRAMS = ("docker", "docker-compose", "podman", "skopeo", "umoci")
JINJA = "/usr/lib/python3/dist-packages/jinja2"
PLACES = [*(f"/usr/bin/{name}" for name in PROGRAMS), "/usr/libexec/docker/cli-plugins", JINJA]
Hide = Callable[..., None]


@pytest.fixture
def hide(machine: None) -> Iterator[Hide]:
    """hide(WORD…) takes away the files of these packages, as if they were not installed."""
    hidden: list[str] = []

    def away(*words: str) -> None:
        for place in PLACES:
            if any(place.endswith(word) for word in words) and os.path.lexists(place):
                shutil.move(place, f"{place}.hidden")
                hidden.append(place)

    yield away
    for place in hidden:
        shutil.move(f"{place}.hidden", place)


@pytest.mark.soak
def test_what_only_making_takes_can_be_removed_and_a_wake_is_as_before(
    instance: Make, hide: Hide, tmp_path: Path
) -> None:
    gone = ("docker.io", "docker-cli", "docker-compose", "podman", "skopeo", "umoci", "tini")
    ran = run("apt-get", "--simulate", "remove", *gone, "python3-jinja2")
    removed = set(re.findall(r"^Remv (\S+)", ran.expect(0).out, re.MULTILINE))
    assert set(gone) - {"tini"} <= removed and "sockwake" not in removed, ran
    database = instance()
    database.psql("create table kept as select 7 as n")
    database.asleep()
    hide(*PROGRAMS, "cli-plugins", "jinja2")
    assert database.psql("select n from kept") == "7"
    database.asleep()
    page = str(tmp_path / "report.html")
    ran = run("sockwake", "report", "--html", page).expect(1, "python3-jinja2 is not installed")
    assert not os.path.exists(page), ran
    for command in (("ls",), ("status", "pg1"), ("history", "pg1"), ("report",), ("doctor",)):
        assert "is not installed" not in str(run("sockwake", *command).err), command


@pytest.mark.parametrize(
    ("lacking", "command", "package"),
    [
        (["jinja2"], "sockwake-new pg9 --version 18", "python3-jinja2"),
        (["docker-compose", "plugins"], "sockwake-new pg9 --version 18", "docker-compose"),
        (
            ["docker-compose", "plugins"],
            "sockwake-new shop --kind project --compose {tmp}/shop",
            "docker-compose",
        ),
        (["skopeo"], "sockwake images pull 127.0.0.1:9/nothing:1", "skopeo"),
        (["skopeo"], "sockwake images load {tmp}/image.tar", "skopeo"),
        (["umoci"], "sockwake images load {tmp}/image.tar", "umoci"),
    ],
)
def test_a_command_says_in_one_sentence_which_package_it_lacks(
    hide: Hide, image: str, tmp_path: Path, lacking: list[str], command: str, package: str
) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/compose.yaml").write_text(
        "services: {web: {image: 'nginx:local', ports: ['127.0.0.1:8099:80']}}\n"
    )
    ocis(tmp_path / "image.tar", "nothing:1", tar([directory("srv")]))
    hide(*lacking)
    ran = run(*command.format(tmp=tmp_path).split())
    assert (ran.status, ran.err) == (
        1,
        f"sockwake: error: {package} is not installed\n(hint: apt install {package})\n",
    ), ran
    assert not os.path.exists("/etc/sockwake/pg9") and not os.path.exists("/etc/sockwake/shop")
