"""What an instance may use: keys of instance.env, lines of its units, keys that compose is told."""

from pathlib import Path

import pytest

from env_file import COMMAND, CONTAINER, GOOD, NATIVE, PROJECT, env, refused, settings, text_of
from generator import generate
from sockwake.config import limits
from sockwake.engine import compose
from sockwake.errors import USAGE, SockwakeError
from sockwake.kinds.table import KINDS
from tree import Tree

# 8 EiB by each unit: systemd ignores what it cannot read, and there is no limit then
BEYOND = ("8388608T", "8589934592G", "8796093022208M", "99999999999T", "999999999999999T")
MOST = ("8388607T", "8589934591G", "8796093022207M", "999999999999999K", "999999999999999")


def test_what_is_not_said_has_no_limit() -> None:
    found = settings(env()).limits
    assert (found.memory, found.cpus, found.pids, found.clients) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("cpus", "hundredths"),
    [("1", 100), ("0.5", 50), ("0.05", 5), ("1.25", 125), ("64", 6400), ("0.50", 50)],
)
def test_processors_have_two_decimals(cpus: str, hundredths: int) -> None:
    assert settings(env(CPUS=cpus)).limits.cpus == hundredths


@pytest.mark.parametrize(
    ("memory", "size"), [("16777216", 1 << 24), ("512M", 1 << 29), ("2G", 1 << 31)]
)
def test_memory_is_counted_as_systemd_does(memory: str, size: int) -> None:
    assert settings(env(MEMORY=memory)).limits.memory == size


@pytest.mark.parametrize("memory", [*MOST, *BEYOND])
def test_no_more_memory_is_taken_than_a_kernel_can_count(tmp_path: Path, memory: str) -> None:
    text = env(RUNTIME="crun", MEMORY=memory)
    _, files = generate(tmp_path / "g", {b"a": text.encode()})
    if memory in MOST:
        assert 1 << 24 <= settings(text).limits.memory < 1 << 63
        assert f"MemoryMax={memory}\n".encode() in files[BACKEND]
    else:
        assert "is not an amount" in refused(text) and BACKEND not in files


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *[("MEMORY", value) for value in ("0", "1M", "15M", "1.5G", "512m", "512MB", "-1", "M")],
        *[("MEMORY", value) for value in BEYOND],
        *[("CPUS", value) for value in ("0", "0.00", "01", "1.", ".5", "1.234", "50%", "-1")],
        *[("PIDS", value) for value in ("0", "4194305", "max", "1.5", "01")],
        *[("MAX_CLIENTS", value) for value in ("0", "1", "10001", "x")],
    ],
)
def test_what_is_no_limit_is_refused(key: str, value: str) -> None:
    assert "is not a" in refused(env(**{key: value}))


@pytest.mark.parametrize(
    ("base", "key"),
    [*[(PROJECT, key) for key in ("MEMORY", "CPUS", "PIDS")], (NATIVE, "MAX_CLIENTS")],
)
def test_a_limit_that_a_kind_cannot_have_is_refused(base: dict[str, str], key: str) -> None:
    value = "64M" if key == "MEMORY" else "2"
    assert f"{key} is not for an instance of kind '{base['KIND']}'" in refused(
        text_of(base, **{key: value})
    )


def test_every_kind_has_some_limit() -> None:
    for kind in KINDS:
        assert any(limits.suits(key, kind) for key in limits.KEYS)


ALL = {"MEMORY": "512M", "CPUS": "0.5", "PIDS": "100"}
LINES = b"[Service]\nMemoryMax=512M\nMemorySwapMax=512M\nCPUQuota=50%\nTasksMax=100\n"
BACKEND = "pg-postgres@a.service.d/upper-limits.conf"
PROXY = "pg-proxy@a.service.d/limit.conf"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (env(RUNTIME="crun", **ALL), LINES),
        (env(RUNTIME="host", **ALL), LINES),
        (text_of(COMMAND, **ALL), LINES),
        (text_of(NATIVE, **ALL), LINES),
        (env(**ALL), None),  # an engine is told by compose
        (env(RUNTIME="engine", **ALL), None),
        (text_of(CONTAINER, **ALL), None),
        (env(RUNTIME="crun", CPUS="1.25"), b"[Service]\nCPUQuota=125%\n"),
        (env(RUNTIME="crun", CPUS="0.05"), b"[Service]\nCPUQuota=5%\n"),
        (env(RUNTIME="crun", CPUS="2"), b"[Service]\nCPUQuota=200%\n"),
        (env(RUNTIME="crun", MEMORY="1\\", CPUS="1%n", PIDS="$(x)"), None),
        (env(RUNTIME="crun"), None),
    ],
)
def test_systemd_is_told_of_what_it_runs(tmp_path: Path, text: str, lines: bytes | None) -> None:
    ran, files = generate(tmp_path / "g", {b"a": text.encode()})
    assert (ran.status, ran.stderr, files.get(BACKEND)) == (0, "", lines)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (env(MAX_CLIENTS="20"), b"[Service]\nEnvironment=SOCKWAKE_MAX_CLIENTS=20\n"),
        (text_of(PROJECT, MAX_CLIENTS="2"), b"[Service]\nEnvironment=SOCKWAKE_MAX_CLIENTS=2\n"),
        (env(MAX_CLIENTS="2;x"), None),
        (env(), None),
    ],
)
def test_the_proxy_is_told_how_many_clients_it_may_have(
    tmp_path: Path, text: str, line: bytes | None
) -> None:
    _, files = generate(tmp_path / "g", {b"a": text.encode()})
    assert files.get(PROXY) == line


def test_compose_is_told_in_both_places_that_it_knows() -> None:
    made = compose._limited(dict(compose._WOKEN), settings(env(**ALL)))
    assert made["deploy"] == {
        "restart_policy": {"condition": "none", "max_attempts": 0},
        "resources": {"limits": {"memory": "536870912", "cpus": "0.5", "pids": 100}},
    }
    assert (made["mem_limit"], made["cpus"], made["pids_limit"]) == ("536870912", 0.5, 100)
    assert compose._limited(dict(compose._WOKEN), settings(env())) == compose._WOKEN


def test_the_options_are_lines_of_instance_env(tree: Tree) -> None:
    options = ("--memory", "1G", "--cpus", "1.5", "--pids", "200", "--max-clients", "50")
    tree.new("pg1", *options)
    text = Path(tree.instance("pg1").env_file).read_text()
    assert "MEMORY=1G\nCPUS=1.5\nPIDS=200\nMAX_CLIENTS=50\n" in text


def test_an_option_that_a_kind_cannot_have_is_refused(tree: Tree) -> None:
    ran = tree.sockwake("new", "a", "--kind", "native", "--exec", "/bin/x", "--max-clients", "3")
    assert ran.status == USAGE
    assert "--max-clients is not for an instance of kind 'native'" in ran.stderr


def test_the_error_of_an_option_is_one_of_usage() -> None:
    for check in (limits.memory, limits.cpus, limits.pids, limits.max_clients):
        with pytest.raises(SockwakeError) as caught:
            check("many")
        assert caught.value.status == USAGE


def test_the_example_has_none_of_them() -> None:
    assert not set(limits.KEYS) & GOOD.keys()
