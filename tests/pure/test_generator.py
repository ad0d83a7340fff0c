"""The generator: an instance listens where its settings say, and no text leads to anything else."""

import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from env_file import env
from fuzz import cases
from generator import (
    DESCRIPTION,
    DROP_IN,
    GOOD_DROP_IN,
    KIND_DROP_INS,
    KINDS,
    LOOK_BEFORE,
    RUNTIMES,
    TCP_DROP_IN,
    drop_ins,
    generate,
    require_refused,
    streams,
)
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings
from sockwake.errors import SockwakeError

TIMEOUT = re.compile(rb"\[Service\]\nTimeoutStartSec=[0-9a-z. ]+\n")
KEYS = [
    b"ALLOW=",
    b"READY=",
    b"CLIENT_FIRST=",
    b"IMAGE=",
    b"KIND=",
    b"LISTEN=",
    b"PORT=",
    b"PORTS=",
    b"KIND=project\nPORTS=",
    b"TLS=",
    b"VERSION=",
    b"BACKEND_PORT=",
    b"SOCKET_USER=",
    b"SOCKET_MODE=",
    b"START_TIMEOUT=",
]
VALUES = st.one_of(
    st.binary(max_size=12),
    st.from_regex(rb"[0-9a-f.:,/ $%\[\]\n*]{0,20}", fullmatch=True),
    st.sampled_from(
        [
            b"command",
            b"native",
            b"../kinds/native",
            b".",
            b"80",
            b"0660",
            b"660",
            b"06600",
            b"user",
            b"%i",
            b"18%n",
            b"nginx\\",
            b"'; exit",
            b"a b",
            b"yes",
            b"yes1",
        ]
    ),
)
LINES = st.one_of(
    st.sampled_from([line.encode() for line in env().splitlines()]),
    st.binary(max_size=20),
    st.tuples(st.sampled_from(KEYS), VALUES).map(b"".join),
)


@pytest.mark.parametrize("shell", ["dash", "bash"])
@pytest.mark.parametrize(
    ("listen", "expected"),
    [
        ("127.0.0.1", ["127.0.0.1:25432"]),
        ("::1", ["[::1]:25432"]),
        (
            "0.0.0.0,::,/run/db/.s.PGSQL.25432",
            ["0.0.0.0:25432", "[::]:25432", "/run/db/.s.PGSQL.25432"],
        ),
    ],
)
def test_every_address_gets_its_line(
    tmp_path: Path, shell: str, listen: str, expected: list[str]
) -> None:
    ran, files = generate(tmp_path / "g", {b"pg1": env(LISTEN=listen).encode()}, shell)
    assert (ran.status, ran.stdout, ran.stderr) == (0, "", "")
    assert streams(files) == expected


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_a_last_line_needs_no_end(tmp_path: Path, shell: str) -> None:
    _, files = generate(
        tmp_path / "g", {b"pg1": b"KIND=postgres\nLISTEN=127.0.0.1\nPORT=25432"}, shell
    )
    assert streams(files) == ["127.0.0.1:25432"]


@pytest.mark.parametrize(
    ("listen", "port"),
    [
        ("127.0.0.1", ""),
        ("127.0.0.1", "x"),
        ("127.0.0.1", "123456"),
        ("127.0.0.1", "25432\r"),
        ("127.0.0.1", "1 2"),
        ("", "25432"),
        ("127.0.0.1,", "25432"),
        (",", "25432"),
        ("localhost", "25432"),
        ("@abstract", "25432"),
        ("127.0.0.1 ::1", "25432"),
        ("%i", "25432"),
        ("/run/%i", "25432"),
        ("/run/$HOME", "25432"),
        ("/run/`id`", "25432"),
        ("/run/a b", "25432"),
        ("*", "25432"),
        ("[::1]", "25432"),
        ("127.0.0.1", "1]\nExecStartPre=/bin/false"),
        ("/run/é", "25432"),
        ("vsock:1:2", "1"),
        ("'127.0.0.1'", "25432"),
    ],
)
def test_what_cannot_be_used_is_said_and_hurts_nobody_else(
    tmp_path: Path, listen: str, port: str
) -> None:
    require_refused(tmp_path / "g", f"KIND=postgres\nLISTEN={listen}\nPORT={port}\n")


@pytest.mark.parametrize(
    "line",
    [
        "KIND=",
        "KIND=..",
        "KIND=native/../command",
        "KIND=a b",
        "KIND=Native",
        "KIND=%i",
        "KIND=*",
        "SOCKET_USER=a b",
        "SOCKET_USER=%u",
        "SOCKET_USER=root\r",
        "SOCKET_USER=é",
        "SOCKET_USER=$USER",
        "SOCKET_MODE=660",
        "SOCKET_MODE=0888",
        "SOCKET_MODE=06600",
        "SOCKET_MODE=u+w",
        "SOCKET_MODE=0660 ",
        "SOCKET_MODE= ",
    ],
)
def test_neither_can_a_kind_an_owner_or_a_mode_that_could_mean_something_else(
    tmp_path: Path, line: str
) -> None:
    require_refused(tmp_path / "g", f"{env()}{line}\n")


def test_without_a_kind_nothing_listens(tmp_path: Path) -> None:
    require_refused(tmp_path / "g", "LISTEN=127.0.0.1\nPORT=25432\n")


@cases(60)
@given(st.one_of(st.binary(), st.lists(LINES).map(b"\n".join)))
@example(b"LISTEN=127.0.0.1\nPORT=1\0\n")
@example(b"LISTEN=/a\\nb\nPORT=1")
@example(b"KIND=../../../etc\nLISTEN=::\nPORT=1")
@example(b"KIND=command\nLISTEN=::\nPORT=1\nBACKEND_PORT=]\n[Service]1")
@example(b"KIND=project\nPORTS=127.0.0.1:1=a:1,[::1]]:1=b:1")
@example(b"KIND=project\nPORTS=[127.0.0.1]:1=a:1")
@example(b"KIND=project\nPORTS=0.0.0.0:1=a:1\nSOCKET_MODE=0660\nALLOW=::1")
@example(env(VERSION="%H").encode())
@example(env(VERSION="18\\").encode())
@example(env(KIND="container", IMAGE="x)\\").encode())
@example(env(KIND="container", IMAGE="$(id)%n").encode())
@example(env(KIND="container", IMAGE="x" * 300).encode())
@example(b"KIND=native\nLISTEN=::\nPORT=1\nSOCKET_USER=root\nSOCKET_MODE=0660\nTLS=yes")
def test_no_text_leads_to_more_than_listening_and_none_disturbs_a_neighbour(text: bytes) -> None:
    with tempfile.TemporaryDirectory() as base:
        ran, files = generate(Path(base) / "g", {b"bad": text, b"good": env().encode()})
    for path in [path for path in files if path.endswith("@bad.service.d/description.conf")]:
        assert DESCRIPTION.fullmatch(files.pop(path))
    written = files.pop("pg-proxy@bad.socket.d/listen.conf", None)
    assert files.pop("pg-proxy@bad.service.d/tcp.conf", TCP_DROP_IN) == TCP_DROP_IN
    for kind, unit in KIND_DROP_INS:
        content = (KINDS / kind / f"{unit}.conf").read_bytes()
        if files.get(drop_in := f"{unit.replace('@', '@bad')}.d/kind.conf") == content:
            del files[drop_in]
    for unit in ("pg-postgres", "pg-proxy"):
        assert files.pop(f"{unit}@bad.service.d/look.conf", LOOK_BEFORE) == LOOK_BEFORE
    runtime = files.pop("pg-postgres@bad.service.d/runtime.conf", RUNTIMES["crun"])
    assert runtime in RUNTIMES.values()
    timeout = files.pop("pg-postgres@bad.service.d/kind-timeout.conf", None)
    assert timeout is None or TIMEOUT.fullmatch(timeout)
    assert ran.status == 0 and files == GOOD_DROP_IN
    assert written is None or DROP_IN.fullmatch(written)


@cases(60)
@given(
    st.lists(
        st.sampled_from(
            [b"# LISTEN=::2", b"", b"DATA=/x", b"START_TIMEOUT=5s", b"SERVICE=PORT=1", b" "]
        ),
        unique=True,
    ),
    st.sampled_from(
        ["::1", "127.0.0.1,::1", "/run/a-b_c+d@e.f/.s.PGSQL.1", "1.2,dead.beef,::", "/" + "x" * 106]
    ),
    st.integers(1, 65535),
)
def test_what_the_waker_accepts_the_generator_reads_the_same(
    extra: list[bytes], listen: str, port: int
) -> None:
    text = env(LISTEN=listen, PORT=str(port)).encode() + b"\n".join(extra)
    read = Settings(text.decode(), Instance(Name("pg1")))
    with tempfile.TemporaryDirectory() as base:
        _, files = generate(Path(base) / "g", {b"pg1": text})
    assert streams(files) == [
        item if item.startswith("/") else f"[{item}]:{port}" if ":" in item else f"{item}:{port}"
        for item in read.listen
    ]


@cases(60)
@given(
    st.sets(
        st.one_of(
            st.binary(min_size=1, max_size=40),
            st.from_regex(rb"[a-z0-9.A-Z-]{1,33}", fullmatch=True),
        ).filter(lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b"..")),
        max_size=6,
    )
)
@example(
    {
        b"a" * 31,
        b"a" * 32,
        b".new-a",
        b"a b",
        b"*",
        b"$(id)",
        b"%i",
        b"a\n",
        b"\xc3\xa4",
        b"-a",
        b"a-",
    }
)
def test_exactly_the_valid_names_get_a_drop_in(names: set[bytes]) -> None:
    valid = set()
    for name in names:
        try:
            valid.add(Name(name.decode("utf-8", "surrogateescape")))
        except SockwakeError:
            continue
    with tempfile.TemporaryDirectory() as base:
        ran, files = generate(Path(base) / "g", dict.fromkeys(names, env().encode()))
    assert ran.status == 0
    assert files.keys() == {path for name in valid for path in drop_ins(name, "", b"")}
