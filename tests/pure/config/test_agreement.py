"""The generator's sh and the waker's Python read instance.env alike."""

import re
import tempfile
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from env_file import COMMAND, CONTAINER, GOOD, NATIVE, PROJECT, env
from fuzz import cases
from generator import DROP_IN, GOOD_DROP_IN, TCP_DROP_IN, generate, streams
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings
from sockwake.errors import SockwakeError

NUMBERS = st.one_of(
    st.integers(-1, 70000).map(str),
    st.sampled_from(["0", "00", "025432", "65535", "65536", "99999", "100000", "+1", "1 ", "٣"]),
)
PATHS = st.one_of(
    st.from_regex(r"/[a-zA-Z0-9._/:@+-]{0,20}", fullmatch=True),
    st.sampled_from(
        [
            "/",
            "/run/..",
            "/run/../x",
            "/..a",
            "/a:b",
            "/a//b",
            "/" + "x" * 106,
            "/" + "x" * 107,
            "/é",
        ]
    ),
)
ADDRESSES = st.sampled_from(
    [
        "127.0.0.1",
        "::1",
        "0.0.0.0",
        "::",
        "2001:db8::7",
        "localhost",
        "[::1]",
        "*",
        "",
        "1.2",
        "@x",
        "127.0.0.1 ",
    ]
)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\n\0"), max_size=12)
VALUES = {
    "LISTEN": st.one_of(st.lists(st.one_of(PATHS, ADDRESSES), max_size=3).map(",".join), TEXT),
    "PORT": st.one_of(NUMBERS, TEXT),
    "BACKEND_PORT": st.one_of(NUMBERS, TEXT),
    "TLS": st.one_of(st.sampled_from(["yes", "no", "Yes", ""]), TEXT),
    "SOCKET_USER": st.one_of(st.from_regex(r"[a-zA-Z0-9_.-]{0,8}", fullmatch=True), TEXT),
    "SOCKET_MODE": st.one_of(st.from_regex(r"[0-9]{3,5}", fullmatch=True), TEXT),
}
PORT_ITEMS = st.tuples(
    st.sampled_from(
        ["127.0.0.1", "[::1]", "0.0.0.0", "[::]", "[127.0.0.1]", "::1", "[]", "", "/x"]
    ),
    NUMBERS,
    st.sampled_from(["=web:80", "=a_b.c-d:1", "=web", "", "=:80", "=w b:80", "=web:080", "=[x]:1"]),
).map(lambda item: f"{item[0]}:{item[1]}{item[2]}")
VALUES["PORTS"] = st.one_of(st.lists(PORT_ITEMS, min_size=1, max_size=3).map(",".join), TEXT)
BASES = st.sampled_from([GOOD, CONTAINER, COMMAND, NATIVE, PROJECT])
LINES = st.lists(
    st.sampled_from(
        [
            "# PORT=1",
            "",
            " ",
            "#",
            "PORT=1",
            "LISTEN=::1",
            "DATA=/x",
            "X=1",
            "port=1",
            " PORT=1",
            "KIND",
            "TLS=yes",
        ]
    ),
    max_size=2,
)
BOTH_READ = ("LISTEN", "PORT", "SOCKET_USER", "SOCKET_MODE")


def settings(text: str) -> Settings | None:
    """What the waker makes of it, None when it refuses it."""
    try:
        return Settings(text, Instance(Name("a")))
    except SockwakeError:
        return None


def written(text: str) -> dict[str, bytes]:
    """What the generator makes of it; a neighbour is none the wiser."""
    with tempfile.TemporaryDirectory() as base:
        ran, files = generate(Path(base) / "g", {b"a": text.encode(), b"good": env().encode()})
    assert ran.status == 0
    assert {path: files.pop(path) for path in list(files) if "@good." in path} == GOOD_DROP_IN
    return files


def owner(files: dict[str, bytes], key: str) -> str:
    found = re.search(
        rf"^{key}=(.*)$", files["pg-proxy@a.socket.d/listen.conf"].decode(), re.MULTILINE
    )
    return found[1] if found else ""


@cases(250)
@given(BASES, st.fixed_dictionaries({}, optional=VALUES), LINES)
@example(GOOD, {"TLS": "yes"}, [])
@example(
    CONTAINER,
    {"BACKEND_PORT": "80", "SOCKET_USER": "www-data", "SOCKET_MODE": "0660"},
    ["# PORT=1"],
)
@example(COMMAND, {}, ["PORT=1"])
@example(PROJECT, {}, [])
@example(PROJECT, {"PORTS": "[127.0.0.1]:80=web:80"}, [])
@example(PROJECT, {"PORTS": "[::1]:80=web:80,1.2.3.4:65535=a_b.c-d:1"}, [])
def test_what_the_waker_accepts_systemd_is_told_the_same(
    base: dict[str, str], changed: dict[str, str], more: list[str]
) -> None:
    values = base | changed
    text = "\n".join([*(f"{key}={value}" for key, value in values.items()), *more])
    read, files = settings(text), written(text)
    drop_in = files.get("pg-proxy@a.socket.d/listen.conf")
    assert drop_in is None or DROP_IN.fullmatch(drop_in)
    if not read:
        return  # the port may be open all the same: its clients get the reason
    assert streams(files, "a") == [
        item if item.startswith("/") else f"[{item}]:{port}" if ":" in item else f"{item}:{port}"
        for item, port in read.places
    ]
    assert files.get("pg-proxy@a.service.d/tcp.conf") == (
        TCP_DROP_IN if read.backend_port else None
    )
    assert (owner(files, "SocketUser"), owner(files, "SocketMode")) == (
        values.get("SOCKET_USER", ""),
        values.get("SOCKET_MODE", ""),
    )


@cases(250)
@given(st.sampled_from(BOTH_READ).flatmap(lambda key: st.tuples(st.just(key), VALUES[key])))
@example(("PORT", "65536"))
@example(("PORT", "025432"))
@example(("LISTEN", "/run/../etc/x"))
@example(("LISTEN", "/a:b"))
@example(("LISTEN", "/" + "x" * 107))
@example(("SOCKET_USER", "-x"))
def test_a_value_that_one_of_them_refuses_the_other_does_too(one: tuple[str, str]) -> None:
    text = env(**dict([one]))
    assert ("pg-proxy@a.socket.d/listen.conf" in written(text)) == bool(settings(text))
