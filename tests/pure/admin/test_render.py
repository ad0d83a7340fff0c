"""What is rendered is what was asked for, for every reader of the files."""

import argparse
import importlib
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fuzz import cases
from sockwake.admin import parser
from sockwake.admin.make.decide import decide
from sockwake.admin.make.request import Request
from sockwake.admin.show import facts
from sockwake.admin.verbs import VERBS
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings
from sockwake.errors import SockwakeError

yaml: Any = importlib.import_module("yaml")  # Debian has no type stubs for it

PRINTABLE = st.text().filter(str.isprintable)
NASTY = [
    "$HOME",
    "${IMAGE}",
    "$$",
    '"',
    "'",
    "\\",
    "a: b # c",
    "{{ x }}",
    "{% x %}",
    "- x",
    "ß€𝄞",
    " x ",
    "",
    "yes",
    "0x10",
    "*a",
    "&a",
    "!t",
    "%m [%p] ",
    "é" * 500,
    "'%t'",
    "a\\nb",
    "[1",
    "?",
]


def request(*options: str, name: str = "pg1") -> Request:
    parsed: argparse.Namespace = parser.build(VERBS).parse_args(
        ["new", name, "--version", "18", *options]
    )
    return decide(parsed)


def service(files: dict[str, tuple[int, str]]) -> dict[str, Any]:
    """The service in compose.yaml, after what compose does to dollars that are not meant for it."""
    loaded: dict[str, Any] = yaml.safe_load(files["compose.yaml"][1])["services"]["postgres"]
    return loaded


@given(PRINTABLE)
def test_a_server_setting_comes_back_from_compose_yaml_as_it_was_given(value: str) -> None:
    command = service(request(f"--set=log_line_prefix={value}").files(25432, ""))["command"]
    assert [word.replace("$$", "$") for word in command][-2:] == ["-c", f"log_line_prefix={value}"]
    assert "$" not in "".join(command).replace("$$", "")


@pytest.mark.parametrize("value", NASTY)
def test_nasty_settings_come_back_as_they_were_given(value: str) -> None:
    command = service(request(f"--set=a.b={value}").files(25432, ""))["command"]
    assert command[-1].replace("$$", "$") == f"a.b={value}"


def test_settings_are_the_servers_command_in_their_order() -> None:
    files = request("--set", "work_mem=64MB", "--set", "jit=off", "--session-idle", "1min").files(
        25432, ""
    )
    assert service(files)["command"] == [
        "postgres",
        "-c",
        "listen_addresses=",
        "-c",
        "idle_session_timeout=60000",
        "-c",
        "work_mem=64MB",
        "-c",
        "jit=off",
    ]


@pytest.mark.parametrize("option", ["0", "infinity"])
def test_sessions_never_end_when_asked_for(option: str) -> None:
    assert service(request("--session-idle", option).files(25432, ""))["command"] == [
        "postgres",
        "-c",
        "listen_addresses=",
    ]


@pytest.mark.parametrize(
    ("version", "mount"), [("17", "/var/lib/postgresql/data"), ("18", "/var/lib/postgresql")]
)
def test_the_data_are_mounted_where_the_official_image_of_that_version_keeps_them(
    version: str, mount: str
) -> None:
    shown = service(request("--version", version).files(25432, ""))
    assert [volume["target"] for volume in shown["volumes"]] == ["/var/run/postgresql", mount]
    assert "ports" not in shown


@pytest.mark.parametrize("network", ["none", "my-net_1.x", "host"])
def test_the_network_is_the_one_asked_for(network: str) -> None:
    assert service(request("--network", network).files(25432, ""))["network_mode"] == network


def test_no_network_unless_asked_for() -> None:
    assert service(request().files(25432, ""))["network_mode"] == "none"


OPTIONS: st.SearchStrategy[dict[str, str]] = st.fixed_dictionaries(
    {},
    optional={
        "--version": st.sampled_from(["13", "17.4", "18", "19", "18.", "x"]),
        "--idle": st.one_of(
            st.sampled_from(["3min", " 1h\t30min ", "infinity", "0", "1.5", "5us"]),
            st.text("0123456789smh. ", max_size=8),
        ),
        "--image": st.one_of(st.text("ab/:@.-", max_size=12), st.text(max_size=5)),
        "--db-user": st.text(max_size=70),
        "--db-name": st.text(max_size=70),
        "--listen": st.one_of(
            st.sampled_from(
                ["::1", "0.0.0.0", "/run/db", "/run/..", "/", "//", "/run/x/.s.PGSQL.7", "1.2.3"]
            ),
            st.text("/.ab:%@", max_size=150),
            st.from_regex(r"/[a-z]{80,110}", fullmatch=True),
        ),
        "--data": st.one_of(st.text("/.ab: ", max_size=12), st.text(max_size=6)),
        "--network": st.text(max_size=6),
        "--port": st.one_of(st.integers(-1, 70000).map(str), st.text(max_size=4)),
    },
)


@cases(150)
@given(OPTIONS)
@example({"--listen": "/" + "x" * 100})
@example({"--listen": "/run/.."})
@example({"--db-user": "\udcff"})
def test_what_is_accepted_can_be_read_back_and_means_the_same(options: dict[str, str]) -> None:
    try:
        asked = request(*(f"{option}={value}" for option, value in options.items()))
    except SockwakeError:
        return
    port = asked.port or 25432
    read = Settings(asked.files(port, "")["instance.env"][1], Instance(Name("pg1")))
    assert (read.port, read.image, read.version) == (port, asked.image, asked.version)
    assert (read.db_user, read.db_name) == (asked.lines["DB_USER"], asked.lines["DB_NAME"])
    assert read.data == asked.data_directory
    assert len(read.listen) == 1 and (
        read.listen[0] == asked.listen[0] or read.listen[0].startswith(asked.listen[0].rstrip("/"))
    )


def test_a_socket_directory_gets_the_name_clients_look_for() -> None:
    text = request(
        "--listen", "/run/db/", "--listen", "/run/x/.s.PGSQL.7", "--listen", "::1"
    ).files(25440, "")["instance.env"][1]
    assert "LISTEN=/run/db/.s.PGSQL.25440,/run/x/.s.PGSQL.7,::1\n" in text


@pytest.mark.parametrize(
    ("options", "dsn"),
    [
        ([], "postgresql://postgres@127.0.0.1:25432/postgres"),
        (["--listen", "0.0.0.0"], "postgresql://postgres@127.0.0.1:25432/postgres"),
        (["--listen", "::"], "postgresql://postgres@[::1]:25432/postgres"),
        (["--listen", "2001:db8::1"], "postgresql://postgres@[2001:db8::1]:25432/postgres"),
        (
            ["--db-user", "a b@c/ä", "--db-name", "x?y"],
            "postgresql://a%20b%40c%2F%C3%A4@127.0.0.1:25432/x%3Fy",
        ),
        (["--listen", "/run/db"], "postgresql://postgres@/postgres?host=/run/db&port=25432"),
    ],
)
def test_the_dsn_leads_there(options: list[str], dsn: str) -> None:
    asked = request(*options)
    assert (
        facts.dsn(asked.final, Settings(asked.files(25432, "")["instance.env"][1], asked.final))
        == dsn
    )


@pytest.mark.parametrize(("user", "switch"), [("user", "--user "), ("system", "")])
def test_a_command_in_a_comment_is_of_the_scope(
    monkeypatch: pytest.MonkeyPatch, user: str, switch: str
) -> None:
    monkeypatch.setenv("SOCKWAKE_SCOPE", user)
    web = "new pg1 --kind container --image nginx:1 --container-port 80".split()
    for asked in (request(), decide(parser.build(VERBS).parse_args(web))):
        files = asked.files(25432, "")
        assert f"sockwake apply {switch}pg1," in files["instance.env"][1]
        assert f"sockwake compose {switch}pg1 " in files["compose.yaml"][1]
        assert f"journalctl {switch}-u pg-postgres@pg1\n" in files["compose.yaml"][1]
