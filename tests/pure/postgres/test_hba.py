"""pg_hba.conf, read as PostgreSQL reads it."""

from pathlib import Path

import pytest

from sockwake.errors import SockwakeError
from sockwake.postgres import hba
from sockwake.postgres.hba import Client, Rules

LOCAL, TLS = Client("app", "shop", False), Client("app", "shop", True)
INSIDE = "/var/lib/postgresql/18/docker"


def method(
    folder: Path, text: str, client: Client = LOCAL, major: int = 18, **beside: str
) -> str | None:
    (folder / "pg_hba.conf").write_text(text)
    for name, content in beside.items():
        (folder / name).write_text(content)
    line = Rules(str(folder), INSIDE, major).first(client)
    return hba.method(line) if line else None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", None),
        ("# local all all trust\n", None),
        ("local all all peer", "peer"),
        ("  local\tall\tall\tpeer  # as Debian's\n", "peer"),
        ("local all postgres peer\nlocal all all scram-sha-256\n", "scram-sha-256"),
        ("local other all trust\nlocal other,shop app md5\n", "md5"),
        ("local other, shop all md5\n", "md5"),
        ('local "all" all trust\nlocal all all md5\n', "md5"),
        ('local all "app" trust\n', "trust"),
        ('local "sh""op",shop app md5\n', "md5"),
        ('local all "a#b" trust\nlocal all app md5\n', "md5"),
        ("local sameuser all trust\nlocal replication all trust\nlocal all all md5", "md5"),
        ("local all +staff trust\nlocal all +app md5", "md5"),
        ("local all /^ap trust", "trust"),
        ("local /x$ all trust\nlocal /^shop$ all md5", "md5"),
        ("local all \\\nall \\\nreject\n", "reject"),
        ("# a comment goes on \\\nlocal all all trust\nlocal all all md5\n", "md5"),
        ("host all all all trust\nhostssl all all all trust\nlocal all all md5", "md5"),
        ('local all all ldap ldapserver=x ldapprefix="cn="', "ldap"),
        ("local all all", None),
        ("nonsense\nlocal all all md5", "md5"),
    ],
)
def test_the_first_line_that_fits_decides(tmp_path: Path, text: str, found: str | None) -> None:
    assert method(tmp_path, text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("local all all md5\nhost all all 10.0.0.0/8 trust\n", None),
        ("host all all 127.0.0.1/32 ident\n", "ident"),
        ("host all all 127.0.0.1 255.255.255.255 md5\n", "md5"),
        ("host all all 10.0.0.1 255.0.0.0 trust\nhost all all 0.0.0.0/0 md5", "md5"),
        ("host all all ::1/128 trust\nhost all all localhost md5", "md5"),
        ("hostnossl all all all trust\nhostssl all all samehost md5", "md5"),
        ("hostgssenc all all all trust\nhost all all all reject", "reject"),
    ],
)
def test_with_tls_clients_come_from_the_loopback(
    tmp_path: Path, text: str, found: str | None
) -> None:
    assert method(tmp_path, text, TLS) == found


def test_other_files_are_read_where_they_are_named(tmp_path: Path) -> None:
    more = tmp_path / "more.d"
    more.mkdir()
    (more / "20-b.conf").write_text("local all all reject\n")
    (more / "10-a.conf").write_text("local all @../users md5\n")
    (more / "00-no").write_text("local all all trust\n")
    users = "# some\nother,\napp\n"
    assert method(tmp_path, "include_dir more.d\n", users=users) == "md5"
    assert method(tmp_path, f'include "{INSIDE}/more.d/20-b.conf"\n') == "reject"
    text = "include_if_exists none.conf\nlocal all all peer\n"
    assert method(tmp_path, text) == "peer"
    assert method(tmp_path, "include_dir more.d\nlocal all all md5\n", major=15) == "md5"


@pytest.mark.parametrize("text", ["include none.conf", "local all @none md5"])
def test_a_file_that_is_not_there_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(OSError, match="none"):
        method(tmp_path, text)


def test_a_file_outside_or_a_circle_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SockwakeError, match="includes /etc/x, which is not in the cluster"):
        method(tmp_path, "include /etc/x")
    with pytest.raises(SockwakeError, match="is included too deep"):
        method(tmp_path, "include pg_hba.conf")


def test_older_servers_continue_no_line(tmp_path: Path) -> None:
    assert method(tmp_path, "local all all \\\npeer\nlocal all all md5", major=13) == "\\"


@pytest.mark.parametrize(
    ("name", "asks"), [("scram-sha-256", True), ("md5", True), ("ident", False)]
)
def test_which_methods_ask_for_a_password(tmp_path: Path, name: str, asks: bool) -> None:
    (tmp_path / "pg_hba.conf").write_text(f"local all all {name}")
    line = Rules(str(tmp_path), INSIDE, 18).first(LOCAL)
    assert line and hba.asks_for_a_password(line) == asks
