"""Addresses, variables and logs of instances: text, and what a shell makes of it."""

import json
import os
import shutil
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from env_file import CONTAINER, NATIVE, PROJECT, env, settings, text_of
from sockwake.admin.access import addresses, logs, variables
from sockwake.admin.access.addresses import Address
from sockwake.config.instance import Instance, Name
from sockwake.errors import SockwakeError
from sockwake.postgres import tls
from tree import SOCKWAKE, SOURCE, Tree, run

PG1 = Instance(Name("pg1"))
ODD = "a b'\"$(touch /tmp/x)`\\:@/?#%&é"
PLACES = "127.0.0.1,::,/run/shop/.s.PGSQL.5433,/run/odd"


def test_each_address_has_its_uri_in_their_order() -> None:
    found = addresses.addresses(PG1, settings(env(LISTEN=PLACES)))
    assert [each.uri() for each in found] == [
        "postgresql://postgres@127.0.0.1:25432/postgres",
        "postgresql://postgres@[::1]:25432/postgres",
        "postgresql://postgres@/postgres?host=/run/shop&port=5433",
    ]


def test_every_character_in_a_uri_is_read_back() -> None:
    address = Address("::1", "5432", ODD, ODD, "verify-ca", f"/tmp/{ODD}")
    parts = urlsplit(address.uri(ODD))
    assert (parts.hostname, parts.port) == ("::1", 5432)
    assert [unquote(each or "") for each in (parts.username, parts.password)] == [ODD, ODD]
    assert unquote(parts.path) == f"/{ODD}"
    assert parse_qs(parts.query) == {"sslmode": ["verify-ca"], "sslrootcert": [f"/tmp/{ODD}"]}


def test_a_password_line_has_its_address_and_its_user_alone() -> None:
    address = Address("::1", "5432", "a:b", "any")
    assert address.password_line("p:\\w") == "\\:\\:1:5432:*:a\\:b:p\\:\\\\w\n"


def test_a_client_of_this_machine_gets_an_address_that_takes_it() -> None:
    def local(**changed: str) -> str:
        return addresses.local(PG1, settings(env(**changed))).host

    assert local(LISTEN="0.0.0.0,10.0.0.5", ALLOW="10.0.0.0/8") == "10.0.0.5"
    assert local(LISTEN="0.0.0.0", ALLOW="10.0.0.0/8,127.0.0.0/8") == "127.0.0.1"
    assert local(LISTEN="10.0.0.5,/run/x/.s.PGSQL.5432", ALLOW="10.1.0.0/16") == "/run/x"
    with pytest.raises(SockwakeError, match="takes no clients of this machine"):
        local(LISTEN="0.0.0.0", ALLOW="10.0.0.0/8")
    with pytest.raises(SockwakeError, match="libpq finds no socket at /run/odd"):
        local(LISTEN="/run/odd")


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_a_client_verifies_as_far_as_the_certificate_allows(tmp_path: Path) -> None:
    own, other = tmp_path / "own.crt", tmp_path / "other.crt"
    assert tls.verification(str(own), "10.0.0.5") == "verify-full", "it is made for all of them"
    own.write_text(tls.self_signed(["10.0.0.5"])[0])
    assert tls.verification(str(own), "10.0.0.5") == "verify-full"
    assert tls.verification(str(own), "10.0.0.6") == "verify-ca"
    authority, key = tls.self_signed(["127.0.0.1"])
    (tmp_path / "ca.crt").write_text(authority)
    (tmp_path / "ca.key").write_text(key)
    signed = f"-CA {tmp_path}/ca.crt -CAkey {tmp_path}/ca.key -newkey ed25519 -noenc -subj /CN=db"
    ran = run(
        *f"openssl req -x509 {signed} -keyout {tmp_path}/k -out {other}".split(),
        *("-addext", "subjectAltName=IP:10.0.0.5"),
    )
    assert ran.status == 0, ran
    assert tls.verification(str(other), "10.0.0.5") == tls.ENCRYPTED


def test_of_one_that_is_forwarded_its_own_certificate_verifies_nothing(tmp_path: Path) -> None:
    """Clients see that of the server that they are led to."""
    led = Instance(Name("pg1"), etc=str(tmp_path))
    given = settings(env(TLS="yes", LISTEN="127.0.0.1,/run/shop/.s.PGSQL.5433"))
    assert [each.sslmode for each in addresses.addresses(led, given)] == ["verify-full", ""]
    (tmp_path / "forward").write_text("TARGETS=10.0.0.1:5432\nCHECK=tcp\n")
    found = list(addresses.addresses(led, given))
    assert [(each.sslmode, each.certificate) for each in found] == [("require", ""), ("", "")]


def evaluated(script: str, *names: str, before: str = "") -> list[str]:
    """The values that variables have in a program that a shell runs behind a script."""
    shown = "import os, sys; print(*[os.environ.get(x, '-') for x in sys.argv[1:]], sep='\\n')"
    text = f'{before}\n{script}\npython3 -c "$0" "$@"'
    ran = run("sh", "-eu", "-c", text, shown, *names)
    assert (ran.status, ran.stderr) == (0, ""), ran
    return ran.stdout.splitlines()


def test_a_shell_gets_every_value_as_it_is_and_nothing_of_another_instance() -> None:
    found = Address("/run/a b", "5432", ODD, ODD).variables() | {"PGPASSWORD": ODD}
    names = ("PGHOST", "PGUSER", "PGDATABASE", "PGPASSWORD", "PGSSLMODE", "PGPASSFILE")
    before = "export PGSSLMODE=verify-full PGPASSFILE=/tmp/other PGHOSTADDR=10.0.0.9"
    values = evaluated(variables.script(found), *names, "PGHOSTADDR", before=before)
    assert values == ["/run/a b", ODD, ODD, ODD, "-", "-", "-"]
    assert not os.path.exists("/tmp/x")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (text_of(CONTAINER), ["127.0.0.1", "25440", "-", "http://127.0.0.1:25440/"]),
        (text_of(CONTAINER, READY="tcp", LISTEN="::"), ["::1", "25440", "-", "-"]),
        (text_of(CONTAINER, LISTEN="/run/web.sock"), ["-", "-", "/run/web.sock", "-"]),
        (text_of(PROJECT), ["127.0.0.1", "8080", "-", "-"]),
    ],
)
def test_other_kinds_have_host_and_port_or_a_socket(text: str, values: list[str]) -> None:
    found = variables.variables(PG1, settings(text), with_password=False)
    script = variables.script(found)
    assert evaluated(script, "HOST", "PORT", "SOCKET", "URL", before="export SOCKET=x") == values


@pytest.mark.parametrize(
    ("text", "uris"),
    [
        (
            text_of(CONTAINER, LISTEN="0.0.0.0,::"),
            ["http://127.0.0.1:25440/", "http://[::1]:25440/"],
        ),
        (text_of(CONTAINER, LISTEN="/run/a"), ["unix:///run/a"]),
        (text_of(NATIVE), ["tcp://127.0.0.1:25440"]),
        (text_of(PROJECT), ["tcp://127.0.0.1:8080", "tcp://[::1]:8080", "tcp://127.0.0.1:2222"]),
    ],
)
def test_other_kinds_have_a_uri_too(text: str, uris: list[str]) -> None:
    assert addresses.uris(PG1, settings(text), with_password=False) == uris


def test_every_port_of_a_project_is_told_and_can_be_asked_for(tree: Tree) -> None:
    tree.write_env("web", text_of(PROJECT))
    tree.write_env("one", text_of(CONTAINER))
    told = tree.sockwake("env", "web").stdout
    assert evaluated(told, "HOST", "PORT") == ["127.0.0.1", "8080"]
    assert told.endswith("\n# git:22 has port 2222: --service git --port 22\n")
    for words in (["--service", "git"], ["--port", "22"], ["--service", "git", "--port", "22"]):
        told = tree.sockwake("env", "web", *words).stdout
        assert evaluated(told, "HOST", "PORT") == ["127.0.0.1", "2222"], words
    refused = tree.sockwake("env", "web", "--service", "git", "--port", "80")
    assert (refused.status, refused.stdout) == (5, "")
    assert "'web' has no such port\n(hint: it has web:80, git:22)" in refused.stderr
    refused = tree.sockwake("env", "one", "--port", "80")
    assert refused.status == 2 and "has one port, and no services" in refused.stderr


@pytest.fixture
def shop(tree: Tree) -> Tree:
    tree.write_env("shop", env(LISTEN="127.0.0.1,::1"))
    tree.write_env("shop-web", text_of(CONTAINER))
    Path(tree.instance("shop").password_file).write_text("se:cr et\n")
    return tree


def test_dsn_has_a_password_only_when_asked_for(shop: Tree) -> None:
    ran = shop.sockwake("dsn", "shop*")
    assert (ran.status, ran.stderr) == (0, "")
    first = "postgresql://postgres@127.0.0.1:25432/postgres\n"
    assert ran.stdout == f"{first}http://127.0.0.1:25440/\n"
    assert shop.sockwake("dsn", "shop*", "--password").stdout.count("\n") == 1
    ran = shop.sockwake("dsn", "shop", "--password", "-j")
    with_password = "postgresql://postgres:se%3Acr%20et@"
    assert json.loads(ran.stdout) == [
        {
            "name": "shop",
            "dsn": f"{with_password}127.0.0.1:25432/postgres",
            "dsns": [f"{with_password}{at}:25432/postgres" for at in ("127.0.0.1", "[::1]")],
        }
    ]


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_one_that_is_broken_keeps_no_other_from_being_told(
    shop: Tree, options: tuple[str, ...]
) -> None:
    shop.write_env("x", "PORT=x")
    ran = shop.sockwake("dsn", "x", "none", "shop-web", *options)
    assert ran.status == 5 and ran.stderr.startswith("sockwake: x: /"), ran
    assert "sockwake: none: there is no instance 'none'" in ran.stderr
    told = "http://127.0.0.1:25440/"
    if options:
        assert json.loads(ran.stdout) == [{"name": "shop-web", "dsn": told, "dsns": [told]}]
    else:
        assert ran.stdout == f"{told}\n"


def test_env_of_a_tree_names_no_file_and_writes_none(shop: Tree) -> None:
    before = shop.snapshot()
    assert "PASS" not in shop.sockwake("env", "shop").stdout.partition("\n")[2]
    found = json.loads(shop.sockwake("env", "shop", "--json", "--password").stdout)
    assert (found["PGHOST"], found["PGPASSWORD"]) == ("127.0.0.1", "se:cr et")
    assert shop.added_to(before) == []


def test_what_cannot_be_told_is_refused(shop: Tree) -> None:
    Path(shop.instance("shop").password_file).write_text("\n")
    for verb in ("dsn", "env"):
        ran = shop.sockwake(verb, "shop", "--password")
        assert ran.status == 1 and "its cluster was adopted without it" in ran.stderr, ran
        ran = shop.sockwake(verb, "shop-web", "--password")
        assert ran.status == 1 and "is no PostgreSQL, but of kind 'container'" in ran.stderr, ran
        assert shop.sockwake(verb, "none").status == 5
    shop.write_env("site", text_of(PROJECT))
    ran = shop.sockwake("env", "site", "--service", "web", "--password")
    assert ran.status == 1 and "is no PostgreSQL, but of kind 'project'" in ran.stderr, ran
    Path(shop.instance("shop").uninitialised_file).touch()
    assert "its first wake makes one" in shop.sockwake("dsn", "shop", "--password").stderr
    assert shop.sockwake("dsn").status == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("psql", "--root", "/", "pg1"), "(--root)"),
        (("logs", "pg1", "--root", "/"), "(--root)"),
        (("logs", "pg1", "-n", "few"), "'few' is no number of lines"),
        (("logs",), "say which instances"),
        (("exec", "pg1", "ls"), "a command stands behind --, as in sockwake exec NAME -- ls)"),
        (("exec", "pg1"), "say which command"),
        (("passwd",), "say which instances"),
        (("passwd", "pg1", "--password-file", "/dev/null"), "is no password"),
    ],
)
def test_bad_usage_is_said_before_anything_is_touched(words: tuple[str, ...], said: str) -> None:
    ran = run(*SOCKWAKE, *words)
    assert ran.status == 2 and said in ran.stderr, ran


def test_the_log_is_that_of_every_unit_of_every_instance() -> None:
    both = [PG1, Instance(Name("shop"))]
    command = logs.command(both, follow=True, since="-1h", until="", lines="5", pager=False)
    assert command[:5] == ["journalctl", "--since=-1h", "--lines=5", "--follow", "--no-pager"]
    units = [word.removeprefix("--unit=") for word in command[5:]]
    assert units[:6] == [
        "pg-proxy@pg1.socket",
        "pg-proxy@pg1.service",
        "pg-postgres@pg1.service",
        "pg-check@pg1.service",
        "pg-wanted@pg1.service",
        "sockwake-init-pg1.service",
    ]
    of_one = units[: len(units) // 2]
    assert units == of_one + [unit.replace("pg1", "shop") for unit in of_one]


def test_logs_are_those_of_every_unit_of_an_instance() -> None:
    shown = logs.units(PG1)
    templates = [path.name for path in (SOURCE / "systemd").glob("pg-*@.s*")]
    every = {name.replace("@.", "@pg1.") for name in templates}
    assert every - {*shown} == set()
