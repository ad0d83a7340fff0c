"""The generator's drop-ins: each unit's description, and what kind and settings ask for."""

import os
from pathlib import Path

import pytest

from env_file import COMMAND, CONTAINER, NATIVE, PROJECT, env, text_of
from generator import (
    GENERATOR,
    KIND_DROP_INS,
    KINDS,
    RUNTIMES,
    TCP_DROP_IN,
    WANTED_BY_HOST,
    drop_ins,
    generate,
    places,
    require_refused,
    socket_lines,
)
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings
from sockwake.errors import SockwakeError
from tree import run

# units that wait for pg-wanted@NAME.service, where a program cannot wait for the look for a client
LOOKED_BEFORE = {"command": ("pg-postgres", "pg-proxy"), "native": ("pg-postgres",)}


@pytest.mark.parametrize("shell", ["dash", "bash"])
@pytest.mark.parametrize(
    ("text", "title"),
    [
        (env(), "PostgreSQL 18 'a'"),
        (env(VERSION="18.1-alpine_3.2"), "PostgreSQL 18.1-alpine_3.2 'a'"),
        (env(VERSION=""), "PostgreSQL 'a'"),
        (env(VERSION="%H"), "PostgreSQL 'a'"),
        (env(VERSION="18\\"), "PostgreSQL 'a'"),
        (env(VERSION="1" * 21), "PostgreSQL 'a'"),
        (text_of(CONTAINER, IMAGE="nginx:local"), "Container 'a' (nginx:local)"),
        (text_of(CONTAINER, IMAGE="h:5000/a/b@sha256:0"), "Container 'a' (h:5000/a/b@sha256:0)"),
        (text_of(CONTAINER, IMAGE=""), "Container 'a'"),
        (text_of(CONTAINER, IMAGE="nginx%n"), "Container 'a'"),
        (text_of(CONTAINER, IMAGE="x" * 256), "Container 'a'"),
        (text_of(PROJECT), "Project 'a'"),
        (text_of(COMMAND), "Program 'a' (command)"),
        (text_of(NATIVE), "Program 'a' (native)"),
    ],
)
def test_every_unit_is_called_by_kind_and_name(
    tmp_path: Path, shell: str, text: str, title: str
) -> None:
    _, files = generate(tmp_path / "g", {b"a": text.encode()}, shell)
    expected = drop_ins("a", title, b"")
    del expected["pg-postgres@a.service.d/runtime.conf"]
    if title.startswith("Program"):
        condition = f"[Unit]\nDescription=Start condition of {title}\n".encode()
        expected["pg-wanted@a.service.d/description.conf"] = condition
    described = {path: said for path, said in files.items() if b"\nDescription=" in said}
    listen = "pg-proxy@a.socket.d/listen.conf"
    assert described.pop(listen).startswith(expected.pop(listen))
    assert {path: described[path] for path in expected} == expected
    kinds_own = {f"{unit.replace('@', '@a')}.d/kind.conf" for _, unit in KIND_DROP_INS}
    assert set(described) - set(expected) - kinds_own == set()


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
    listens = b"ListenStream=/run/db/s\nDeferAcceptSec=60\n"
    assert socket_lines(files, "pg1") == listens + expected


@pytest.mark.parametrize("shell", ["dash", "bash"])
@pytest.mark.parametrize(
    "kind", sorted(path.name for path in KINDS.iterdir() if path.is_dir() and path.name.isalpha())
)
def test_an_instance_gets_the_drop_ins_of_its_kind_and_its_own(
    tmp_path: Path, shell: str, kind: str
) -> None:
    """As links: what they lead to is what an administrator edits, and what an upgrade brings."""
    text = (text_of(PROJECT) if kind == "project" else env(KIND=kind)).encode()
    generate(tmp_path / "g", {b"a": text, b"b": text}, shell)
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
    for unit in LOOKED_BEFORE.get(kind, ()):
        for name in ("a", "b"):
            expected[f"{unit}@{name}.service.d/look.conf"] = str(KINDS / "look-before.conf")
    assert {
        str(path.relative_to(again)): os.readlink(path)
        for path in again.rglob("*")
        if path.is_symlink()
    } == expected


def test_a_kind_that_is_not_known_here_listens_so_that_its_clients_can_be_told(
    tmp_path: Path,
) -> None:
    ran, files = generate(tmp_path / "g", {b"good": env(KIND="no-such-kind").encode()})
    title, listens = "Program 'good' (no-such-kind)", b"ListenStream=127.0.0.1:25432\n"
    assert (ran.stderr, files) == ("", drop_ins("good", title, listens))


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
    listens = b"ListenStream=127.0.0.1:25432\n"
    assert socket_lines(files, "pg1") == listens + filtered + b"DeferAcceptSec=60\n"


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


@pytest.mark.parametrize(
    ("text", "runtime"),
    [
        (env(), "engine"),
        (env(RUNTIME="engine"), "engine"),
        (env(RUNTIME="crun"), "crun"),
        (env(RUNTIME="host"), "host"),
        (env(RUNTIME=""), "engine"),
        (env(RUNTIME="no-such"), "engine"),
        (text_of(CONTAINER), "engine"),
        (text_of(CONTAINER, RUNTIME="crun"), "crun container"),
        (text_of(PROJECT), "engine"),
        (text_of(COMMAND), ""),
        (text_of(COMMAND, RUNTIME="host"), ""),
        (text_of(NATIVE), ""),
    ],
)
def test_the_backend_s_unit_is_that_of_its_runtime(tmp_path: Path, text: str, runtime: str) -> None:
    _, files = generate(tmp_path / "g", {b"a": text.encode()})
    (tmp_path / "g/etc/a/unit.conf").write_text("[Service]\n")
    again = tmp_path / "again"
    again.mkdir()
    run("dash", GENERATOR, *[str(again)] * 3, env=places(tmp_path / "g"))
    assert files.get("pg-postgres@a.service.d/runtime.conf") == RUNTIMES.get(runtime)
    assert (again / "pg-postgres@a.service.d/unit.conf").is_symlink() == ("crun" in runtime)
    wanted = "pg-wanted@a.service.d/runtime.conf"
    assert files.get(wanted) == (WANTED_BY_HOST if runtime == "host" else None)
    kinds_own = KINDS / "command/pg-postgres@.service.conf"
    is_like_a_command = text == text_of(COMMAND) or "RUNTIME=host" in text
    found = files.get("pg-postgres@a.service.d/kind.conf")
    assert (found == kinds_own.read_bytes()) == is_like_a_command
