"""What becomes of an instance's files when another major version is served."""

import pytest

from sockwake.admin.make.render import render
from sockwake.admin.option_types import exec_line
from sockwake.admin.upkeep import newer_files
from sockwake.admin.upkeep.upgraded import Version
from sockwake.errors import SockwakeError

COMPOSE = """\
services:
  postgres:
    image: ${IMAGE}
    # data of 17 are at /var/lib/postgresql/data
    volumes:
      - type: bind
        source: ${SOCKWAKE_DATA}
        target: /var/lib/postgresql/data
      - /srv/more:/var/lib/postgresql/data2
"""
SERVICE = (
    "[Service]\n"
    "ExecStart=/usr/libexec/sockwake/server {data} /usr/lib/postgresql/{major}/bin/postgres "
    "-D {cluster} -c work_mem=7MB\n"
)


@pytest.mark.parametrize(
    ("image", "other"),
    [
        ("postgres:17", "postgres:18"),
        ("postgres:17.4-alpine", "postgres:18-alpine"),
        ("registry.example:5000/db/postgres:17", "registry.example:5000/db/postgres:18"),
    ],
)
def test_the_image_is_the_same_of_the_other_version(image: str, other: str) -> None:
    assert newer_files.image_name(image, 17, 18) == other


@pytest.mark.parametrize("image", ["postgres", "postgres:latest", "postgres:16", "pg17:v2"])
def test_an_image_without_its_version_has_to_be_named(image: str) -> None:
    with pytest.raises(SockwakeError, match="does not tell what the image of PostgreSQL 18"):
        newer_files.image_name(image, 17, 18)


def test_only_the_lines_of_the_version_change() -> None:
    text = "KIND=postgres\nVERSION=17\nIMAGE=postgres:17\nPORT=25432\n"
    changed = newer_files.environment(text, Version("18", "postgres:18"))
    assert changed == "KIND=postgres\nVERSION=18\nIMAGE=postgres:18\nPORT=25432\n"
    assert newer_files.environment(changed, Version("17", "postgres:17")) == text


def test_the_data_are_mounted_where_the_version_has_them() -> None:
    changed = newer_files.compose(COMPOSE, "compose.yaml", 17, 18)
    assert "        target: /var/lib/postgresql\n" in changed
    assert "    # data of 17 are at /var/lib/postgresql/data\n" in changed
    assert "/var/lib/postgresql/data2" in changed
    assert newer_files.compose(changed, "compose.yaml", 18, 17) == COMPOSE
    assert newer_files.compose(changed, "compose.yaml", 18, 19) == changed


def test_what_sockwake_new_writes_can_be_changed() -> None:
    values = {"gucs": {}, "environment": False, "tls": False, "network": "none", "name": "pg1"}
    values["switch"] = ""
    for old, new in ((17, 18), (18, 19)):
        mount = {17: "/var/lib/postgresql/data", 18: "/var/lib/postgresql"}[old]
        text = render("postgres/compose.yaml", values | {"mount": mount})
        assert "target: /var/lib/postgresql\n" in newer_files.compose(text + "\n", "", old, new)


def test_files_of_other_shapes_are_refused() -> None:
    with pytest.raises(SockwakeError, match="names its image itself"):
        newer_files.compose(COMPOSE.replace("${IMAGE}", "postgres:17"), "compose.yaml", 17, 18)
    with pytest.raises(SockwakeError, match="does not mount the data at"):
        newer_files.compose(COMPOSE.replace("sql/data\n", "sql/x\n"), "compose.yaml", 17, 18)
    with pytest.raises(SockwakeError, match="does not have '/usr/lib/postgresql/17/bin/postgres'"):
        newer_files.service("[Service]\nExecStart=/opt/pg\n", "service.conf", "/srv/db", 17, 18)


@pytest.mark.parametrize("data", ["/srv/db", '/srv/d "b'])
def test_the_host_s_server_is_another_program_on_another_cluster(data: str) -> None:
    def text(major: int, cluster: str) -> str:
        where = {"data": exec_line([data], {}), "cluster": exec_line([cluster], {})}
        return SERVICE.format(major=major, **where)

    changed = newer_files.service(text(17, data), "service.conf", data, 17, 18)
    assert changed == text(18, f"{data}/18/docker")
    assert newer_files.service(changed, "service.conf", data, 18, 17) == text(17, data)
