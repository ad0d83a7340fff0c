"""The generator: for every instance the one drop-in that tells its socket where to listen, and nothing else, ever."""

import os
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_settings import GOOD, env
from tree import SOURCE, Ran, run

from sockwake.errors import SockwakeError
from sockwake.instance import Instance, Name
from sockwake.settings import Settings

STREAM = rb"ListenStream=(/[A-Za-z0-9._/:@+-]*|[0-9a-fA-F.]+:[0-9]{1,5}|\[[0-9a-fA-F.:]+\]:[0-9]{1,5})\n"
DROP_IN = re.compile(rb"\[Socket\]\n(" + STREAM + rb")+")
TLS_DROP_IN = b"""[Service]
IPAddressAllow=127.0.0.1
NetworkNamespacePath=/run/sockwake/bad/netns
PrivateNetwork=no
RestrictAddressFamilies=AF_INET
"""
GOOD_DROP_IN = {"pg-proxy@good.socket.d/listen.conf": b"[Socket]\nListenStream=127.0.0.1:25432\n"}
LINES = st.one_of(st.sampled_from([line.encode() for line in env().splitlines()]), st.binary(max_size=20),
                  st.tuples(st.sampled_from([b"LISTEN=", b"PORT=", b"TLS="]), st.one_of(st.binary(max_size=12), st.from_regex(
                      rb"[0-9a-f.:,/ $%\[\]\n*]{0,20}", fullmatch=True))).map(b"".join))


def generate(base: Path, files: dict[bytes, bytes], shell: str = "dash") -> tuple[Ran, dict[str, bytes]]:
    """Run the generator on directory name to instance.env; how it ended, and every file it wrote."""
    (base / "etc").mkdir(parents=True)
    (base / "out").mkdir()
    for name, text in files.items():
        directory = os.path.join(os.fsencode(base / "etc"), name)
        os.mkdir(directory)
        with open(os.path.join(directory, b"instance.env"), "wb") as file:
            file.write(text)
    out = str(base / "out")
    ran = run(shell, str(SOURCE / "systemd/sockwake-generator"), out, out, out, env={"SOCKWAKE_ETC": str(base / "etc")})
    return ran, {str(path.relative_to(base / "out")): path.read_bytes() for path in (base / "out").rglob("*") if path.is_file()}


def streams(files: dict[str, bytes], name: str = "pg1") -> list[str]:
    """The addresses in an instance's drop-in."""
    return re.findall(r"^ListenStream=(.*)$", files[f"pg-proxy@{name}.socket.d/listen.conf"].decode(), re.MULTILINE)


@pytest.mark.parametrize("shell", ["dash", "bash"])
@pytest.mark.parametrize(("listen", "expected"), [
    ("127.0.0.1", ["127.0.0.1:25432"]),
    ("::1", ["[::1]:25432"]),
    ("0.0.0.0,::,/run/db/.s.PGSQL.25432", ["0.0.0.0:25432", "[::]:25432", "/run/db/.s.PGSQL.25432"]),
])
def test_every_address_gets_its_line(tmp_path: Path, shell: str, listen: str, expected: list[str]) -> None:
    ran, files = generate(tmp_path / "g", {b"pg1": env(LISTEN=listen).encode()}, shell)
    assert (ran.status, ran.stdout, ran.stderr) == (0, "", "")
    assert streams(files) == expected


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_a_last_line_needs_no_end(tmp_path: Path, shell: str) -> None:
    _, files = generate(tmp_path / "g", {b"pg1": b"LISTEN=127.0.0.1\nPORT=25432"}, shell)
    assert streams(files) == ["127.0.0.1:25432"]


@pytest.mark.parametrize(("listen", "port"), [
    ("127.0.0.1", ""), ("127.0.0.1", "x"), ("127.0.0.1", "123456"), ("127.0.0.1", "25432\r"), ("127.0.0.1", "1 2"), ("", "25432"),
    ("127.0.0.1,", "25432"), (",", "25432"), ("localhost", "25432"), ("@abstract", "25432"), ("127.0.0.1 ::1", "25432"), ("%i", "25432"),
    ("/run/%i", "25432"), ("/run/$HOME", "25432"), ("/run/`id`", "25432"), ("/run/a b", "25432"), ("*", "25432"), ("[::1]", "25432"),
    ("127.0.0.1", "1]\nExecStartPre=/bin/false"), ("/run/é", "25432"), ("vsock:1:2", "1"), ("'127.0.0.1'", "25432"),
])
def test_what_cannot_be_used_is_said_and_hurts_nobody_else(tmp_path: Path, listen: str, port: str) -> None:
    ran, files = generate(tmp_path / "g", {b"bad": f"LISTEN={listen}\nPORT={port}\n".encode(), b"good": env().encode()})
    assert ran.status == 0
    assert f"{tmp_path}/g/etc/bad/instance.env: LISTEN or PORT cannot be used, so pg-proxy@bad.socket will not start" in ran.stderr
    assert files == GOOD_DROP_IN


@settings(max_examples=60)
@given(st.one_of(st.binary(), st.lists(LINES).map(b"\n".join)))
@example(b"LISTEN=127.0.0.1\nPORT=1\0\n")
@example(b"LISTEN=/a\\nb\nPORT=1")
def test_no_text_leads_to_more_than_listening_and_none_disturbs_a_neighbour(text: bytes) -> None:
    with tempfile.TemporaryDirectory() as base:
        ran, files = generate(Path(base) / "g", {b"bad": text, b"good": env().encode()})
    written = files.pop("pg-proxy@bad.socket.d/listen.conf", None)
    assert files.pop("pg-proxy@bad.service.d/tls.conf", TLS_DROP_IN) == TLS_DROP_IN
    assert ran.status == 0 and files == GOOD_DROP_IN
    assert written is None or DROP_IN.fullmatch(written)


@settings(max_examples=60)
@given(st.lists(st.sampled_from([b"# LISTEN=::2", b"", b"DATA=/x", b"START_TIMEOUT=5s", b"SERVICE=PORT=1", b" "]), unique=True), st.sampled_from(
    ["::1", "127.0.0.1,::1", "/run/a-b_c+d@e.f/.s.PGSQL.1", "1.2,dead.beef,::", "/" + "x" * 106]), st.integers(1, 65535))
def test_what_the_waker_accepts_the_generator_reads_the_same(extra: list[bytes], listen: str, port: int) -> None:
    text = env(LISTEN=listen, PORT=str(port)).encode() + b"\n".join(extra)
    read = Settings(text.decode(), Instance(Name("pg1")))
    with tempfile.TemporaryDirectory() as base:
        _, files = generate(Path(base) / "g", {b"pg1": text})
    assert streams(files) == [item if item.startswith("/") else f"[{item}]:{port}" if ":" in item else f"{item}:{port}" for item in read.listen]


@settings(max_examples=60)
@given(st.sets(st.one_of(st.binary(min_size=1, max_size=40), st.from_regex(rb"[a-z0-9.A-Z-]{1,33}", fullmatch=True)).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b"..")), max_size=6))
@example({b"a" * 31, b"a" * 32, b".new-a", b"a b", b"*", b"$(id)", b"%i", b"a\n", b"\xc3\xa4", b"-a", b"a-"})
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
    (tmp_path / "g/etc/good/instance.env").write_text("".join(f"{key}={value}\n" for key, value in GOOD.items()))
    ran = run("dash", str(SOURCE / "systemd/sockwake-generator"), *[str(out)] * 3, env={"SOCKWAKE_ETC": str(tmp_path / "g/etc")})
    assert ran.status == 0
    assert [str(path.relative_to(out)) for path in out.iterdir()] == ["pg-proxy@good.socket.d"]


@pytest.mark.parametrize(("tls", "expected"), [("TLS=yes\n", True), ("TLS=no\n", False), ("TLS=yes \n", False), ("#TLS=yes\n", False), ("", False)])
def test_only_a_proxy_that_has_to_enters_a_namespace(tmp_path: Path, tls: str, expected: bool) -> None:
    _, files = generate(tmp_path / "g", {b"bad": (env() + tls).encode(), b"good": env().encode()})
    assert files.get("pg-proxy@bad.service.d/tls.conf") == (TLS_DROP_IN if expected else None)
    assert "pg-proxy@good.service.d/tls.conf" not in files


def test_without_any_instance_it_does_nothing(tmp_path: Path) -> None:
    ran, files = generate(tmp_path / "g", {})
    assert (ran.status, ran.stdout, ran.stderr, files) == (0, "", "", {})
    ran = run("dash", str(SOURCE / "systemd/sockwake-generator"), *["/nonexistent"] * 3, env={"SOCKWAKE_ETC": "/nonexistent"})
    assert (ran.status, ran.stdout, ran.stderr) == (0, "", "")
