"""What README.md and docs/ say works, word for word."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from baked_tree import BakedTree
from instances import Know, KnowService, Make, MakeService
from manual import SOURCE, block, blocks, typed
from moment import until
from package import DEB
from program import must, run
from service import Service
from web import get

README, SLOW = "README.md", "docs/slow-starters.md"
ADMINISTRATION, LIMITS = "docs/administration.md", "docs/limits.md"
COMPOSE = """services:
  web:
    image: nginx:local
    ports: ["127.0.0.1:8099:80"]
"""


@pytest.fixture
def place() -> Iterator[Callable[[str, str, int], Path]]:
    """place(PATH, TEXT, MODE) writes a file that is removed after the test."""
    placed: list[Path] = []

    def put(path: str, text: str, mode: int) -> Path:
        assert not os.path.lexists(path), f"{path} is not the tests'"
        placed.append(Path(path))
        placed[-1].write_text(text)
        placed[-1].chmod(mode)
        return placed[-1]

    yield put
    for path in placed:
        path.unlink()


def falls_asleep(service: Service) -> None:
    """Stop it now, instead of after the three minutes of the example."""
    until(f"{service} is awake", service.is_awake)
    must("systemctl", "stop", service.backend)
    service.asleep()


def kind(name: str) -> str:
    return block(README, "## Kinds", f"sockwake-new {name} ")


def test_the_first_steps(known: Know, tmp_path: Path) -> None:
    database = known("pg1")
    install, *steps = block(README, "## First steps", "apt install").splitlines()
    if DEB:
        typed(install, cwd=Path(DEB).parent)
    assert "\n 7\n" in typed(
        "\n".join(steps), stdin="select 7 as n\n\\g\n", cwd=tmp_path
    ).out.replace("  ", "")
    falls_asleep(database)
    assert without_times(must("sockwake", "ls")) == without_times(
        block(README, "## First steps", "NAME ")
    )


def without_times(table: str) -> list[str]:
    return [re.sub(r" +\d+s +", " 0s ", line) for line in table.splitlines()]


def test_the_kinds_are_all_here() -> None:
    """test_user.py runs the example of --user."""
    names = [
        re.findall(r"^sockwake-new (\S+)", text, re.MULTILINE)
        for text in blocks(README, "## Kinds")
    ]
    assert names == [["pg2"], ["wiki"], ["shop"], ["files"], ["hooks"], ["notes"]]


def test_the_default_kind(known: Know) -> None:
    database = known("pg2")
    typed(kind("pg2"))
    assert database.psql() == "1"
    falls_asleep(database)


def test_the_web_server_in_a_container(known_service: KnowService, nginx: str) -> None:
    wiki = known_service("wiki")
    must("docker", "tag", nginx, "nginx:1.26")
    try:
        assert "Welcome to nginx" in typed(kind("wiki")).out
        falls_asleep(wiki)
        assert get(8080).status == 200
        falls_asleep(wiki)
    finally:
        run("docker", "rmi", "nginx:1.26")


def test_what_a_compose_file_describes(known_service: KnowService, nginx: str) -> None:
    shop, directory = known_service("shop"), Path("/srv/shop")
    directory.mkdir()
    try:
        (directory / "compose.yaml").write_text(COMPOSE)
        typed(kind("shop"))
        assert get(8099).status == 200
        falls_asleep(shop)
        must("sockwake", "rm", "shop")
    finally:
        shutil.rmtree(directory)


def test_the_program_of_the_host(known_service: KnowService) -> None:
    folder = known_service("files")
    typed(kind("files"))
    (folder.data / "there").touch()
    assert "there" in get(8081).text
    falls_asleep(folder)


def test_the_program_that_knows_systemds_sockets(
    known_service: KnowService, program: str, place: Callable[[str, str, int], Path]
) -> None:
    hooks = known_service("hooks")
    place("/usr/local/bin/hooks", f"#!/bin/sh\nexec {program} --notify 0.1\n", 0o755)
    typed(kind("hooks"))
    assert get(8082).text.startswith("127.0.0.1:")
    falls_asleep(hooks)


def test_the_check(
    service: MakeService, nginx: str, place: Callable[[str, str, int], Path], tmp_path: Path
) -> None:
    queue = Path("/var/spool/builds")
    queue.mkdir()
    try:
        (queue / "one").touch()
        option = re.findall(r"`(--check \S+)`:\n", (SOURCE / ADMINISTRATION).read_text())[0].split()
        place(option[1], block(ADMINISTRATION, "## Checks", "#!/bin/sh") + "\n", 0o755)
        web = service("container", "--image", nginx, "--container-port", "80", *option)
        assert get(web.port).status == 200
        pid = web.server_pid()
        time.sleep(4)  # four times IDLE: what must not happen cannot be waited for
        assert web.server_pid() == pid
        (queue / "one").unlink()
        web.asleep()
    finally:
        shutil.rmtree(queue)


def test_backup_and_restore(instance: Make, tmp_path: Path) -> None:
    database = instance(idle="3min")
    database.psql("create table kept as select 7 as n")
    typed(
        block(ADMINISTRATION, "## Backup, copy, image", "tar -C / --numeric-owner -c"), cwd=tmp_path
    )
    database.psql("drop table kept")
    must("systemctl", "stop", database.socket, database.proxy, database.backend)
    must("sockwake", "rm", "pg1", "--purge")
    typed(
        block(ADMINISTRATION, "## Backup, copy, image", "tar -C / --numeric-owner -x"), cwd=tmp_path
    )
    assert database.psql("select n from kept") == "7"
    falls_asleep(database)


@pytest.mark.soak
def test_tls_later(instance: Make) -> None:
    database = instance(idle="3min")
    database.psql("create table kept as select 7 as n")
    falls_asleep(database)
    typed(block(LIMITS, "## TLS is chosen when an instance is made", "sockwake rm pg1"))
    assert (
        database.psql(
            "select n from kept", "-d", f"sslmode=verify-full sslrootcert={database.etc}/server.crt"
        )
        == "7"
    )
    falls_asleep(database)


@pytest.mark.soak
def test_copy(instance: Make, known: Know) -> None:
    original, copy = instance(idle="3min"), known("pg2")
    original.psql("create table kept as select 7 as n")
    falls_asleep(original)
    typed(block(ADMINISTRATION, "## Backup, copy, image", "sockwake copy"))
    assert copy.port == 25433 != original.port
    copy.psql("insert into kept values (8)")
    assert (original.psql("select sum(n) from kept"), copy.psql("select sum(n) from kept")) == (
        "7",
        "15",
    )
    falls_asleep(original)
    falls_asleep(copy)


@pytest.mark.soak
def test_image(image: str, tmp_path: Path) -> None:
    tree = BakedTree(Path("/path/to/tree")).path
    try:
        text = block(ADMINISTRATION, "## Backup, copy, image", "sockwake-new")
        assert "docker://" in text, "a registry, instead of which Docker has the image here"
        typed(text.replace("docker://", "docker-daemon:"), cwd=tmp_path)
        assert (tree / "etc/sockwake/pg1/instance.env").exists() and not (
            tree / "etc/sockwake/pg1/password"
        ).exists()
        assert os.path.lexists(tree / "etc/systemd/system/sockets.target.wants/pg-proxy@pg1.socket")
    finally:
        shutil.rmtree("/path")


def test_clients_that_wait_for_slow_starters(instance: Make) -> None:
    database = instance(idle="3min")
    patient = [
        line
        for text in blocks(SLOW, "## What to do")
        for line in text.splitlines()
        if line.startswith("psql ")
    ]
    assert len(patient) == 2
    for command in patient:
        typed(f"export PGPASSWORD={database.password}\n{command}", stdin="")
        falls_asleep(database)
    how_long = block(SLOW, "# Services that take long to wake", "journalctl").replace("NAME", "pg1")
    assert len(re.findall(r"woken by 127\.0\.0\.1:\d+ in \d+ ms", typed(how_long).out)) >= 2
