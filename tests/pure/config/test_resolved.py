"""resolved.json: what compose makes of the files of an instance, for a machine without compose."""

import json
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies

from sockwake.config import resolved
from sockwake.config.instance import Instance, Name
from tree import Tree

ENV = "KIND=postgres\nVERSION=18\nIMAGE=postgres:18\nLISTEN=127.0.0.1\nPORT=25432\n"
COMPOSE = """\
# The container of pg1.
services:
  postgres:
    image: ${IMAGE}
    container_name: sockwake-${SOCKWAKE_NAME}
    # a comment
    env_file: ${SOCKWAKE_ETC}/environment
    volumes:
      - type: bind
        source: ${SOCKWAKE_DATA}
        target: /data
"""
SECRET = 'x$y"z\\ \n'
TOLD = {
    "SOCKWAKE_NAME": "pg1",
    "SOCKWAKE_ETC": "/etc/sockwake/pg1",
    "SOCKWAKE_BACKEND": "/run/sockwake/pg1/backend",
    "SOCKWAKE_DATA": '/srv/"odd"',
}


def config(instance: Instance, told: dict[str, str]) -> dict[str, Any]:
    """What compose makes of these files."""
    service = {
        "image": "postgres:18",
        "container_name": f"sockwake-{told['SOCKWAKE_NAME']}",
        "environment": {"A": SECRET.replace("$", "$$"), "B": "own"},
        "volumes": [
            {"type": "bind", "source": told["SOCKWAKE_DATA"], "target": "/data"},
            {"type": "bind", "source": f"{told['SOCKWAKE_BACKEND']}/x", "target": "/x"},
            {"type": "bind", "source": f"{told['SOCKWAKE_ETC']}/y", "target": "/y"},
        ],
    }
    return {"name": f"sockwake-{told['SOCKWAKE_NAME']}", "services": {"postgres": service}}


@pytest.fixture
def baked(tree: Tree) -> Instance:
    """An instance with resolved.json, of which the draft was baked."""
    draft = tree.instance("pg1")
    Path(draft.etc).mkdir(parents=True)
    Path(draft.env_file).write_text(ENV)
    Path(draft.compose_file).write_text(COMPOSE)
    Path(draft.variables_file).write_text(resolved.line_of("A", SECRET))
    told = resolved.stand_ins({**TOLD, "SOCKWAKE_ETC": draft.etc})
    text = resolved.text_for(draft, config(draft, told), "postgres:18", f"sha256:{'a' * 64}")
    Path(draft.resolved_file).write_text(text)
    return draft


def test_it_is_what_compose_says_for_any_name_and_any_directory(baked: Instance) -> None:
    for name, data in (("pg1", '/srv/"odd"'), ("shop", "/var/lib/sockwake/shop/.new")):
        told = TOLD | {"SOCKWAKE_NAME": name, "SOCKWAKE_DATA": data}
        assert resolved.config(baked, told) == config(baked, told)
    assert resolved.image(baked) == ("postgres:18", f"sha256:{'a' * 64}")


def test_neither_a_secret_nor_a_place_of_the_build_is_in_it(baked: Instance, tree: Tree) -> None:
    text = Path(baked.resolved_file).read_text()
    assert "x$" not in text and str(tree) not in text and "pg1" not in text
    assert json.loads(text)["config"]["services"]["postgres"]["environment"] == {"B": "own"}


@pytest.mark.parametrize(
    ("file", "old", "new", "counts"),
    [
        ("compose.yaml", "# The container of pg1.", "# Mine.", True),
        ("compose.yaml", "    # a comment\n", "", True),
        ("compose.yaml", "target: /data", "target: /other", False),
        ("compose.yaml", "${IMAGE}", "${IMAGE:-x}", False),
        ("instance.env", "PORT=25432", "PORT=25433", True),
        ("instance.env", "IMAGE=postgres:18", "IMAGE=postgres:19", False),
        ("instance.env", "IMAGE=postgres:18\n", "", False),
        ("instance.env", "PORT=25432", "not a line", False),
        ("environment", "x\\$y", "other", True),
        ("environment", 'A="', "A='", False),
    ],
)
def test_it_counts_as_long_as_compose_would_say_the_same(
    baked: Instance, file: str, old: str, new: str, counts: bool
) -> None:
    path = Path(baked.etc, file)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert (resolved.config(baked, TOLD) is not None) == counts


def test_an_edited_variable_is_told_as_it_is(baked: Instance) -> None:
    Path(baked.variables_file).write_text(resolved.line_of("A", "$new") + '\nB="b"\nC-d.e="c"\n')
    found = resolved.config(baked, TOLD)
    assert found
    environment = found["services"]["postgres"]["environment"]
    assert environment == {"A": "$$new", "B": "own", "C-d.e": "c"}
    Path(baked.variables_file).unlink()
    assert resolved.config(baked, TOLD) is None, "compose would refuse it"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"made_of": 1}', "[" * 100_000, "\xff"])
def test_one_that_is_damaged_counts_for_nothing(baked: Instance, text: str) -> None:
    Path(baked.resolved_file).write_text(text, encoding="latin-1")
    assert resolved.config(baked, TOLD) is None
    assert resolved.image(baked) == ("", "")


@hypothesis.given(
    strategies.dictionaries(
        strategies.from_regex(
            r"[A-Z_a-z][\w.-]{0,9}\Z",
            fullmatch=True,
            alphabet=strategies.characters(max_codepoint=127),
        ),
        strategies.text(strategies.characters(exclude_categories=["Cs"])),
    )
)
def test_what_sockwake_writes_of_variables_it_reads(
    tmp_path_factory: pytest.TempPathFactory, variables: dict[str, str]
) -> None:
    instance = Instance(Name("pg1"), "", str(tmp_path_factory.mktemp("pg1")))
    text = "".join(resolved.line_of(name, value) for name, value in variables.items())
    Path(instance.variables_file).write_text(text, encoding="utf-8", newline="")
    assert resolved.environment_of(instance) == variables


@pytest.mark.parametrize(
    "line", ["A=1", "A='1'", 'A="$B"', 'A="\\t"', 'export A="1"', 'A="1" # x', "A", 'A="1', "é=1"]
)
def test_what_only_compose_reads_is_left_to_it(tmp_path: Path, line: str) -> None:
    instance = Instance(Name("pg1"), "", str(tmp_path))
    Path(instance.variables_file).write_text(line)
    assert resolved.environment_of(instance) is None
