"""The generator: for every instance the drop-ins its settings and its kind ask for, and nothing else, ever."""

import os
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from env_file import GOOD, env
from fuzz import cases
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings
from sockwake.errors import SockwakeError
from tree import SOURCE, Ran, run

STREAM = (
    rb"ListenStream=(/[A-Za-z0-9._/:@+-]*|[0-9a-fA-F.]+:[0-9]{1,5}|\[[0-9a-fA-F.:]+\]:[0-9]{1,5})\n"
)
FILTER = rb"(IPAddressDeny=any\nIPAddressAllow=( [0-9a-fA-F.:/]+)+\n)?(DeferAcceptSec=60\n)?"
OWNER = rb"(SocketUser=[A-Za-z0-9_.-]+\n)?(SocketMode=0[0-7]{3}\n)?"
DROP_IN = re.compile(rb"\[Socket\]\n(" + STREAM + rb")+" + FILTER + OWNER)
TIMEOUT = re.compile(rb"\[Service\]\nTimeoutStartSec=[0-9a-z. ]+\n")
GOOD_DROP_IN = {
    "pg-proxy@good.socket.d/listen.conf": b"[Socket]\nListenStream=127.0.0.1:25432\nDeferAcceptSec=60\n"
}
KINDS = SOURCE / "sockwake/kinds"
TCP_DROP_IN = (KINDS / "proxy-tcp.conf").read_bytes()
KEYS = [
    b"ALLOW=",
    b"READY=",
    b"CLIENT_FIRST=",
    b"KIND=",
    b"LISTEN=",
    b"PORT=",
    b"TLS=",
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


KIND_DROP_INS = [
    (path.parent.name, path.name.removesuffix(".conf")) for path in KINDS.glob("*/*.conf")
]
GENERATOR = str(SOURCE / "systemd/sockwake-generator")


def places(base: Path) -> dict[str, str]:
    """Where the generator finds instances and kinds."""
    return {"SOCKWAKE_ETC": str(base / "etc"), "SOCKWAKE_SHARE": str(SOURCE)}


def generate(
    base: Path, files: dict[bytes, bytes], shell: str = "dash"
) -> tuple[Ran, dict[str, bytes]]:
    """Run the generator on directory name to instance.env; how it ended, and every file it wrote."""
    (base / "etc").mkdir(parents=True)
    (base / "out").mkdir()
    for name, text in files.items():
        directory = os.path.join(os.fsencode(base / "etc"), name)
        os.mkdir(directory)
        with open(os.path.join(directory, b"instance.env"), "wb") as file:
            file.write(text)
    out = str(base / "out")
    ran = run(shell, GENERATOR, out, out, out, env=places(base))
    return ran, {
        str(path.relative_to(base / "out")): path.read_bytes()
        for path in (base / "out").rglob("*")
        if path.is_file()
    }


def streams(files: dict[str, bytes], name: str = "pg1") -> list[str]:
    """The addresses in an instance's drop-in."""
    return re.findall(
        r"^ListenStream=(.*)$",
        files[f"pg-proxy@{name}.socket.d/listen.conf"].decode(),
        re.MULTILINE,
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


def require_refused(base: Path, text: str) -> None:
    ran, files = generate(base, {b"bad": text.encode(), b"good": env().encode()})
    assert ran.status == 0
    assert ran.stderr == (
        f"sockwake-generator: {base}/etc/bad/instance.env: ALLOW, KIND, LISTEN, PORT, SOCKET_USER or SOCKET_MODE cannot be used, "
        "so pg-proxy@bad.socket will not start\n"
    )
    assert files == GOOD_DROP_IN


@cases(60)
@given(st.one_of(st.binary(), st.lists(LINES).map(b"\n".join)))
@example(b"LISTEN=127.0.0.1\nPORT=1\0\n")
@example(b"LISTEN=/a\\nb\nPORT=1")
@example(b"KIND=../../../etc\nLISTEN=::\nPORT=1")
@example(b"KIND=command\nLISTEN=::\nPORT=1\nBACKEND_PORT=]\n[Service]1")
@example(b"KIND=native\nLISTEN=::\nPORT=1\nSOCKET_USER=root\nSOCKET_MODE=0660\nTLS=yes")
def test_no_text_leads_to_more_than_listening_and_none_disturbs_a_neighbour(text: bytes) -> None:
    with tempfile.TemporaryDirectory() as base:
        ran, files = generate(Path(base) / "g", {b"bad": text, b"good": env().encode()})
    written = files.pop("pg-proxy@bad.socket.d/listen.conf", None)
    assert files.pop("pg-proxy@bad.service.d/tcp.conf", TCP_DROP_IN) == TCP_DROP_IN
    for kind, unit in KIND_DROP_INS:
        content = (KINDS / kind / f"{unit}.conf").read_bytes()
        if files.get(drop_in := f"{unit.replace('@', '@bad')}.d/kind.conf") == content:
            del files[drop_in]
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
    assert files.keys() == {f"pg-proxy@{name}.socket.d/listen.conf" for name in valid}


def test_what_is_no_readable_file_is_passed_over(tmp_path: Path) -> None:
    for name in ("directory", "empty", "pipe", "nowhere"):
        (tmp_path / "g/etc" / name).mkdir(parents=True)
    (tmp_path / "g/etc/directory/instance.env").mkdir()
    os.mkfifo(tmp_path / "g/etc/pipe/instance.env")
    (tmp_path / "g/etc/nowhere/instance.env").symlink_to("/nonexistent")
    (tmp_path / "g/etc/file").write_text("not a directory")
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "g/etc/good").mkdir()
    (tmp_path / "g/etc/good/instance.env").write_text(
        "".join(f"{key}={value}\n" for key, value in GOOD.items())
    )
    ran = run("dash", GENERATOR, *[str(out)] * 3, env=places(tmp_path / "g"))
    assert ran.status == 0
    assert [str(path.relative_to(out)) for path in out.iterdir()] == ["pg-proxy@good.socket.d"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("TLS=yes", True),
        ("TLS=no", False),
        ("TLS=yes ", False),
        ("#TLS=yes", False),
        ("", False),
        ("BACKEND_PORT=80", True),
        ("BACKEND_PORT=", False),
        ("#BACKEND_PORT=80", False),
        ("BACKEND_PORT=80x", False),
        ("XBACKEND_PORT=80", False),
    ],
)
def test_only_a_proxy_that_has_to_enters_a_namespace(
    tmp_path: Path, line: str, expected: bool
) -> None:
    _, files = generate(
        tmp_path / "g", {b"bad": f"{env()}{line}\n".encode(), b"good": env().encode()}
    )
    assert files.get("pg-proxy@bad.service.d/tcp.conf") == (TCP_DROP_IN if expected else None)
    assert "pg-proxy@good.service.d/tcp.conf" not in files


@pytest.mark.parametrize(
    ("text", "links"),
    [
        (env(), ["pg-proxy@a.service.d/kind-user.conf"]),
        (env(TLS="yes"), []),
        (env(KIND="container", BACKEND_PORT="80"), []),
    ],
)
def test_the_proxy_of_a_user_s_own_sees_no_other_socket_of_his(
    tmp_path: Path, text: str, links: list[str]
) -> None:
    """But for one that goes to another network itself, and is led to by nothing but a port."""
    generate(tmp_path / "g", {b"a": text.encode()})
    again = tmp_path / "again"
    again.mkdir()
    run(
        "dash",
        GENERATOR,
        *[str(again)] * 3,
        env={**places(tmp_path / "g"), "SYSTEMD_SCOPE": "user", "HOME": str(tmp_path)},
    )
    assert [str(path.relative_to(again)) for path in again.rglob("*") if path.is_symlink()] == links


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", b"90s"),
        ("START_TIMEOUT=5min 30s", b"5min 30s"),
        ("START_TIMEOUT=1.5min", b"1.5min"),
        ("START_TIMEOUT=5;ExecStart", b"90s"),
        ("START_TIMEOUT=%i", b"90s"),
    ],
)
def test_systemd_ends_the_start_of_a_native_program_that_takes_too_long(
    tmp_path: Path, line: str, expected: bytes
) -> None:
    _, files = generate(
        tmp_path / "g",
        {b"a": f"{env(KIND='native')}{line}\n".encode(), b"good": f"{env()}{line}\n".encode()},
    )
    assert (
        files["pg-postgres@a.service.d/kind-timeout.conf"]
        == b"[Service]\nTimeoutStartSec=" + expected + b"\n"
    )
    assert "pg-postgres@good.service.d/kind-timeout.conf" not in files


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("", b""),
        ("SOCKET_USER=www-data\n", b"SocketUser=www-data\n"),
        ("SOCKET_MODE=0660\n", b"SocketMode=0660\n"),
        ("SOCKET_MODE=0600\nSOCKET_USER=a.b_c\n", b"SocketUser=a.b_c\nSocketMode=0600\n"),
        ("SOCKET_USER=\nSOCKET_MODE=\n", b""),
    ],
)
@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_a_unix_socket_has_the_owner_and_mode_asked_for(
    tmp_path: Path, shell: str, lines: str, expected: bytes
) -> None:
    _, files = generate(tmp_path / "g", {b"pg1": (env(LISTEN="/run/db/s") + lines).encode()}, shell)
    assert files == {
        "pg-proxy@pg1.socket.d/listen.conf": b"[Socket]\nListenStream=/run/db/s\nDeferAcceptSec=60\n"
        + expected
    }


@pytest.mark.parametrize("shell", ["dash", "bash"])
@pytest.mark.parametrize(
    "kind", sorted(path.name for path in KINDS.iterdir() if path.is_dir() and path.name.isalpha())
)
def test_an_instance_gets_the_drop_ins_of_its_kind_and_its_own(
    tmp_path: Path, shell: str, kind: str
) -> None:
    """As links: what they lead to is what an administrator edits, and what an upgrade brings."""
    generate(tmp_path / "g", {b"a": env(KIND=kind).encode(), b"b": env(KIND=kind).encode()}, shell)
    (tmp_path / "g/etc/a/service.conf").write_text("[Service]\n")
    again = tmp_path / "again"
    again.mkdir()
    ran = run(shell, GENERATOR, *[str(again)] * 3, env=places(tmp_path / "g"))
    assert (ran.status, ran.stderr) == (0, "")
    expected = {
        f"{unit.replace('@', f'@{name}')}.d/kind.conf": str(KINDS / kind / f"{unit}.conf")
        for of_kind, unit in KIND_DROP_INS
        if of_kind == kind
        for name in ("a", "b")
    }
    expected["pg-postgres@a.service.d/service.conf"] = f"{tmp_path}/g/etc/a/service.conf"
    assert {
        str(path.relative_to(again)): os.readlink(path)
        for path in again.rglob("*")
        if path.is_symlink()
    } == expected


def test_a_kind_that_is_not_known_here_listens_so_that_its_clients_can_be_told(
    tmp_path: Path,
) -> None:
    ran, files = generate(tmp_path / "g", {b"good": env(KIND="no-such-kind").encode()})
    assert (ran.stderr, files) == (
        "",
        {name: text.replace(b"DeferAcceptSec=60\n", b"") for name, text in GOOD_DROP_IN.items()},
    )


@pytest.mark.parametrize(
    ("lines", "filtered"),
    [
        ("ALLOW=10.0.0.0/8", b"IPAddressDeny=any\nIPAddressAllow= 10.0.0.0/8\n"),
        (
            "ALLOW=::1,fe80::/64,1.2.3.4",
            b"IPAddressDeny=any\nIPAddressAllow= ::1 fe80::/64 1.2.3.4\n",
        ),
        ("ALLOW=any", b""),
        ("", b""),
    ],
)
def test_other_addresses_are_kept_out(tmp_path: Path, lines: str, filtered: bytes) -> None:
    _, files = generate(tmp_path / "g", {b"pg1": f"{env()}{lines}\n".encode()})
    assert (
        files["pg-proxy@pg1.socket.d/listen.conf"]
        == b"[Socket]\nListenStream=127.0.0.1:25432\n" + filtered + b"DeferAcceptSec=60\n"
    )


@pytest.mark.parametrize(
    "allowed",
    [
        "",
        ",",
        "10.0.0.0/8,",
        ",::1",
        "::1,,::2",
        "localhost",
        "10.0.0.0/8 ::1",
        "any,::1",
        "%i",
        "::1]",
    ],
)
def test_a_filter_that_cannot_be_used_opens_nothing(tmp_path: Path, allowed: str) -> None:
    require_refused(tmp_path / "g", env(ALLOW=allowed))
    with pytest.raises(SockwakeError):
        Settings(env(ALLOW=allowed), Instance(Name("bad")))


@pytest.mark.parametrize(
    ("lines", "waits"),
    [
        ("KIND=postgres", True),
        ("KIND=container", True),
        ("KIND=container\nREADY=http:/x", True),
        ("KIND=container\nREADY=tcp", False),
        ("KIND=command", False),
        ("KIND=command\nREADY=http:/", True),
        ("KIND=native", False),
        ("KIND=native\nREADY=notify", False),
        ("KIND=container\nREADY=tcp\nCLIENT_FIRST=yes", True),
        ("KIND=command\nCLIENT_FIRST=yes", True),
        ("KIND=native\nCLIENT_FIRST=yes", True),
        ("KIND=command\nCLIENT_FIRST=no", False),
        ("KIND=container\nCLIENT_FIRST=no", True),
    ],
)
def test_the_kernel_waits_for_a_word_where_clients_speak_first(
    tmp_path: Path, lines: str, waits: bool
) -> None:
    _, files = generate(tmp_path / "g", {b"a": f"LISTEN=::\nPORT=1\n{lines}\n".encode()})
    assert (b"DeferAcceptSec=60\n" in files["pg-proxy@a.socket.d/listen.conf"]) == waits


def test_without_any_instance_it_does_nothing(tmp_path: Path) -> None:
    ran, files = generate(tmp_path / "g", {})
    assert (ran.status, ran.stdout, ran.stderr, files) == (0, "", "", {})
    ran = run("dash", GENERATOR, *["/nonexistent"] * 3, env={"SOCKWAKE_ETC": "/nonexistent"})
    assert (ran.status, ran.stdout, ran.stderr) == (0, "", "")
