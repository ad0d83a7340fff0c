"""sockwake ls: a row for every directory, whatever state it is in."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from env_file import env
from sockwake.admin import inventory
from sockwake.admin.show import ls
from sockwake.system import port_owner, procnet, systemctl
from tree import Tree


def test_no_instances_is_a_sentence_or_an_empty_array(tree: Tree) -> None:
    assert (
        tree.sockwake("ls").stdout
        == f"There are no instances. sockwake-new --root {tree} NAME --version 18 makes one.\n"
    )
    assert json.loads(tree.sockwake("ls", "--json").stdout) == []


def test_the_table_has_a_row_for_every_instance_by_name(tree: Tree) -> None:
    tree.write_env(
        "shop",
        env(PORT="25433", LISTEN="::1,/run/db/.s.PGSQL.25433", VERSION="17", IDLE="infinity"),
    )
    tree.write_env("a", env())
    ran = tree.sockwake("ls")
    assert (ran.status, ran.stderr) == (0, "")
    shop = "postgres 17 [::1]:25433, /run/db/.s.PGSQL.25433 off - 0 - postgres:18 -"
    assert [" ".join(line.split()) for line in ran.stdout.splitlines()] == [
        "NAME KIND VERSION ADDRESS STATE SINCE CLIENTS MEMORY IMAGE SLEEPS",
        "a postgres 18 127.0.0.1:25432 off - 0 - postgres:18 -",
        f"shop {shop}",
    ]
    assert len({line.index("  off  ") for line in ran.stdout.splitlines()[1:]}) == 1


def test_json_has_the_same_as_a_program_wants_it(tree: Tree) -> None:
    tree.write_env("a", env(IDLE="1000000"))
    assert json.loads(tree.sockwake("ls", "--json").stdout) == [
        {
            "name": "a",
            "state": "off",
            "state_since": None,
            "clients": 0,
            "memory_bytes": 0,
            "next_sleep": None,
            "held": False,
            "version": "18",
            "idle": "1000000s",
            "address": "postgresql://postgres@127.0.0.1:25432/postgres",
            "listen": ["127.0.0.1"],
            "port": 25432,
            "allow": [],
            "kind": "postgres",
            "image": "postgres:18",
            "data": f"{tree}/var/lib/sockwake/a",
            "tls": False,
            "runtime": "engine",
            "engine": "docker",
            "image_digest": None,
        }
    ]


def test_a_broken_instance_is_listed_with_its_error_and_hides_no_other(tree: Tree) -> None:
    broken = tree.write_env("a", "PORT=x")
    (tree.path / "etc/sockwake/c").mkdir()
    (tree.path / "etc/sockwake/c/compose.yaml").write_text("")
    tree.write_env("b", env())
    rows = json.loads(tree.sockwake("ls", "--json").stdout)
    assert [(row["name"], row["state"]) for row in rows] == [
        ("a", "broken"),
        ("b", "off"),
        ("c", "broken"),
    ]
    assert rows[0]["error"] == f"{broken.env_file}: key 'KIND' is missing"
    assert f"a: {broken.env_file}: key 'KIND' is missing\n" in tree.sockwake("ls").stdout


def test_why_the_last_wake_failed_is_listed(tree: Tree) -> None:
    instance = tree.write_env("a", env())
    Path(instance.run).mkdir(parents=True)
    Path(instance.failure_file).write_text("image postgres:18 is not on this machine\n")
    assert (
        json.loads(tree.sockwake("ls", "--json").stdout)[0]["error"]
        == "image postgres:18 is not on this machine"
    )
    assert tree.sockwake("ls").stdout.endswith(
        "\na: the last wake failed: image postgres:18 is not on this machine\n"
    )


@pytest.mark.parametrize(
    ("socket", "backend", "status", "state"),
    [
        ("active", "inactive", "", "asleep"),
        ("active", "failed", "", "asleep"),
        ("inactive", "inactive", "", "off"),
        ("failed", "inactive", "", "failed"),
        ("active", "activating", "", "waking"),
        ("active", "active", "waking", "waking"),
        ("active", "active", "woken by x", "awake"),
        ("inactive", "active", "woken by x", "awake"),
        ("active", "deactivating", "", "falling asleep"),
    ],
)
def test_the_state_is_what_systemd_says(socket: str, backend: str, status: str, state: str) -> None:
    assert ls.state(socket, backend, status) == state


def test_the_tables_of_the_kernel_are_read_once_for_all_rows(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a failed socket each, so that every process is looked into, too; and so is systemd's."""
    instances = [
        tree.write_env(f"i{number}", env(PORT=str(20000 + number), LISTEN="127.0.0.1,::1,/run/s"))
        for number in range(100)
    ]
    for instance in instances:
        instance.root = ""
    read: list[str] = []
    lines, owners = procnet._lines, port_owner.owners

    def noted(table: str) -> Iterator[str]:
        read.append(table)
        return lines(table)

    def noted_owners() -> dict[str, int]:
        read.append("owners")
        return owners()

    monkeypatch.setattr(procnet, "_lines", noted)
    monkeypatch.setattr(port_owner, "owners", noted_owners)
    monkeypatch.setattr(inventory, "instances", lambda root: instances)
    units = {instance.socket_unit: "failed" for instance in instances}
    asked: list[list[str]] = []

    def active(*patterns: str) -> dict[str, str]:
        asked.append([*patterns])
        return units

    def properties(of: list[str], *_: str) -> dict[str, dict[str, str]]:
        asked.append(of)
        return {}

    monkeypatch.setattr(systemctl, "active", active)
    monkeypatch.setattr(systemctl, "properties", properties)
    rows = ls.rows()
    assert [(row["clients"], row["error"]) for row in rows] == [
        (0, "its port could not be opened")
    ] * 100
    assert sorted(read) == ["owners", "tcp", "tcp6", "unix"]
    assert asked == [["pg-*@*"], []], "one question for all, and none for each of many"
