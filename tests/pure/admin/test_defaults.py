"""/etc/sockwake/defaults.env: an administrator's own defaults for the options of sockwake-new."""

import json
from pathlib import Path

import pytest
from kind_examples import COMMAND, CONTAINER, lines, make, with_program

from sockwake.admin.make.new_options import OPTIONS
from sockwake.errors import FAILED
from tree import Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return with_program(tmp_path / "tree")


def write(tree: Tree, text: str) -> Path:
    path = tree.path / "etc/sockwake/defaults.env"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_default_counts_where_no_option_is_given(tree: Tree) -> None:
    write(tree, "# ours\nIDLE=10min\nMEMORY=1G\nVERSION=17\nLISTEN=127.0.0.1,::1\nENABLE=yes\n")
    make(tree, "a", ())
    assert {"IDLE=10min", "MEMORY=1G", "VERSION=17", "LISTEN=127.0.0.1,::1"} <= {*lines(tree)}
    assert list(tree.path.glob("etc/systemd/system/*/pg-proxy@a.socket"))
    make(tree, "b", ["--idle", "2min", "--version", "18", "--listen", "127.0.0.2"])
    assert {"IDLE=2min", "VERSION=18", "LISTEN=127.0.0.2", "MEMORY=1G"} <= {*lines(tree, "b")}


def test_a_default_is_for_the_kinds_that_take_its_option(tree: Tree) -> None:
    write(tree, "VERSION=17\nTLS=yes\nMAX_CLIENTS=20\nDB_USER=me\nRUNTIME=engine\n")
    make(tree, "web", CONTAINER)
    make(tree, "prog", COMMAND)
    for name in ("web", "prog"):
        assert "MAX_CLIENTS=20" in lines(tree, name)
        assert not {"VERSION", "TLS", "DB_USER"} & {
            line.partition("=")[0] for line in lines(tree, name)
        }
    make(tree, "pg", ())
    assert {"TLS=yes", "DB_USER=me", "DB_NAME=me"} <= {*lines(tree, "pg")}
    assert "RUNTIME=crun" not in lines(tree, "pg")


def test_a_default_of_the_kind_counts_too(tree: Tree) -> None:
    write(tree, "KIND=container\nIMAGE=nginx\nCONTAINER_PORT=80\n")
    make(tree, "web", ())
    assert {"KIND=container", "IMAGE=nginx", "BACKEND_PORT=80"} <= {*lines(tree, "web")}
    make(tree, "prog", COMMAND)
    assert "KIND=command" in lines(tree, "prog")


def test_a_default_gives_way_to_an_option_that_it_does_not_go_with(tree: Tree) -> None:
    write(tree, "RUNTIME=host\n")
    make(tree, "a", ["--version", "18", "--engine", "docker"])
    assert "RUNTIME=host" not in lines(tree)
    make(tree, "b", ["--version", "18", "--image", "mine:1"])
    assert {"RUNTIME=crun", "IMAGE=mine:1"} <= {*lines(tree, "b")}
    make(tree, "c", ["--version", "18"])
    assert "RUNTIME=host" in lines(tree, "c")


def test_no_is_no(tree: Tree) -> None:
    write(tree, "TLS=no\nENABLE=no\nIDLE=\n")
    make(tree, "a", ["--version", "18"])
    assert "IDLE=3min" in lines(tree) and "TLS=yes" not in lines(tree)


def test_a_rehearsal_tells_where_each_is_from(tree: Tree) -> None:
    path = write(tree, "\nIDLE=10min\nMEMORY=1G\n")
    ran = tree.sockwake("new", "a", "--version", "18", "--dry-run", "--idle", "2min")
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.stdout.startswith(f"# MEMORY=1G is from {path}:3\n# {tree}/etc/sockwake/a/")
    said = tree.sockwake("new", "a", "--version", "18", "--dry-run", "--json").stdout
    assert json.loads(said)["defaults"] == {"IDLE=10min": f"{path}:2", "MEMORY=1G": f"{path}:3"}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("COLOUR=red\n", 1, "there is no option for key 'COLOUR'"),
        ("\nIDLE=soon\n", 2, "'soon' is not a time span"),
        ("IDLE\n", 1, "is not KEY=value"),
        ("IDLE=1h\nIDLE=2h\n", 2, "key 'IDLE' is there twice"),
        ("TLS=maybe\n", 1, "'maybe' is neither yes nor no"),
        ("PORT=1\n", 1, "PORT has no default"),
        ("DATA=/srv/x\n", 1, "DATA has no default"),
        ("RUN_AS=-x\n", 1, "'-x' is not the name of a user"),  # of another kind
        ('IDLE="1h"\n', 1, "the value of IDLE has"),
    ],
)
def test_what_is_no_default_is_an_error_with_its_line(
    tree: Tree, text: str, line: int, said: str
) -> None:
    path = write(tree, text)
    ran = tree.sockwake("new", "a", "--version", "18")
    assert (ran.status, ran.stdout) == (FAILED, ""), ran
    assert ran.stderr.startswith(f"sockwake: error: {path}:{line}") and said in ran.stderr, ran
    assert not Path(tree.instance("a").etc).exists()


def test_no_two_options_have_the_same_key() -> None:
    keys = [{option.name.upper(), option.key} - {""} for option in OPTIONS]
    assert sum(map(len, keys)) == len(set().union(*keys))


def test_it_is_no_instance(tree: Tree) -> None:
    write(tree, "IDLE=10min\n")
    assert tree.sockwake("ls", "--json").stdout.strip() == "[]"
