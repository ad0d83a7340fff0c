"""sockwake rm of several instances: by their names, and by wildcards."""

import json
from pathlib import Path

from sockwake.errors import UNKNOWN, USAGE
from tree import Tree


def names(tree: Tree) -> list[str]:
    """Those of the instances there are."""
    return [row["name"] for row in json.loads(tree.sockwake("ls", "--json").stdout)]


def write_data(tree: Tree, path: str) -> Path:
    file = Path(f"{tree}{path}/base/1")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("rows")
    return file


def test_several_names_and_wildcards_and_one_that_fails_keeps_no_other(tree: Tree) -> None:
    for name in ("pg1", "pg2", "shop", "wiki"):
        tree.new(name)
    ran = tree.sockwake("rm", "pg*", "absent", "shop")
    assert (ran.status, ran.stdout) == (
        UNKNOWN,
        "".join(f"Removed {tree}/etc/sockwake/{name}.\n" for name in ("pg1", "pg2", "shop")),
    )
    assert ran.stderr.splitlines()[0].startswith("sockwake: absent: there is no instance 'absent'")
    assert ran.stderr.splitlines()[1:] == [
        f"(hint: sockwake ls --root {tree} shows those there are)",
        "sockwake: error: not all of them were removed",
    ]
    assert names(tree) == ["wiki"]


def test_purge_deletes_nothing_that_is_not_named_without_a_yes(tree: Tree) -> None:
    for name in ("pg1", "pg2"):
        tree.new(name)
        write_data(tree, f"/var/lib/sockwake/{name}")
    before = tree.snapshot()
    ran = tree.sockwake("rm", "--purge", "pg*")
    assert (ran.status, ran.stdout, ran.stderr.splitlines()) == (
        USAGE,
        "",
        [
            "sockwake: error: this would delete the data of pg1, pg2, and not all of them "
            "are named",
            "(hint: name them, or add --yes)",
        ],
    )
    assert tree.snapshot() == before
    assert tree.sockwake("rm", "--purge", "--yes", "pg*").status == 0
    assert names(tree) == [] and not list((tree.path / "var/lib/sockwake").iterdir())
