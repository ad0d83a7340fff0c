"""The files that a project is made of: an edit of one is an edit of the project."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz import cases
from sockwake.engine import compose_inputs
from sockwake.engine.compose_project import ComposeProject


def inputs(directory: Path, *files: str) -> list[str]:
    """Those of a project, as they are seen from its directory."""
    project = ComposeProject(str(directory), tuple(f"{directory}/{name}" for name in files), (), {})
    return [path.removeprefix(f"{directory}/") for path in compose_inputs.inputs(project)]


def write(directory: Path, **files: str) -> None:
    """Files; "__" for "." in their names."""
    for name, text in files.items():
        (directory / name.replace("__", ".")).write_text(text)


def test_the_files_of_a_directory_and_their_overrides_are_found(tmp_path: Path) -> None:
    write(tmp_path, compose__yaml="services: {}", compose__override__yaml="services: {}")
    assert inputs(tmp_path) == [".env", "compose.yaml", "compose.override.yaml"]


def test_compose_file_in_dotenv_names_them(tmp_path: Path) -> None:
    write(tmp_path, __env="A=1\nCOMPOSE_FILE='a.yaml:b.yaml'\n", a__yaml="", compose__yaml="")
    project = ComposeProject(str(tmp_path), (), (), {})
    names = (".env", "a.yaml", "b.yaml")
    assert compose_inputs.inputs(project) == [f"{tmp_path}/{name}" for name in names]


def test_a_copy_of_the_directory_lacks_what_is_outside_by_a_path_of_its_own(tmp_path: Path) -> None:
    directory = tmp_path / "shop"
    directory.mkdir()
    write(
        directory,
        compose__yaml=f"""
services:
  a: {{extends: {{file: ../common.yaml, service: a}}, env_file: [{tmp_path}/absolute.env, b.env]}}
  b: {{env_file: [{{path: ../not-there.env, required: false}}, sub/../c.env]}}
""",
    )
    write(tmp_path, common__yaml="services: {a: {env_file: from-common.env}}", absolute__env="")
    (tmp_path / "from-common.env").write_text("")
    project = ComposeProject(str(directory), (), (), {})
    assert compose_inputs.left_behind(project) == [
        f"{tmp_path}/common.yaml",
        f"{tmp_path}/from-common.env",
    ]


def test_what_a_file_extends_includes_and_names_is_followed(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    write(
        tmp_path,
        c__yaml="""
include: [more.yaml, {path: [sub/x.yaml], env_file: x.env}]
services:
  a: {extends: {file: common.yaml, service: a}, env_file: a.env}
  b: {env_file: [{path: b.env, required: false}], label_file: [l.txt]}
  c: {env_file: !reset null}
  d: {extends: d, env_file: "${HOME}/x"}
secrets: {s: {file: ./tok.txt}}
configs: {c: {file: ../c.txt}, d: {content: x}}
""",
        common__yaml="services: {a: {env_file: from-common.env}}",
    )
    (tmp_path / "sub/x.yaml").write_text("services: {x: {env_file: y.env}}")
    assert set(inputs(tmp_path, "c.yaml")) == {
        *(".env", "c.yaml", "more.yaml", "sub/x.yaml", "x.env", "common.yaml", "a.env", "b.env"),
        *("l.txt", "tok.txt", f"{tmp_path.parent}/c.txt", "from-common.env", "sub/y.env"),
    }


def test_a_variable_of_dotenv_in_a_path_is_filled_in(tmp_path: Path) -> None:
    write(
        tmp_path,
        __env="# X=1\nA=prod # as ever\nexport B='$A'\n C = \"${A}-2\"\nD=\nE=a b#c \n",
        c__yaml="""
include: ["$A/x.yaml"]
services:
  a: {extends: {file: "${C}.yaml"}, env_file: ["./${A}.env", "${D:-d}.env", "${D-no}e.env"]}
  b: {env_file: ["${E}", "${B}", "${HOME}/x", "${X:?}", "${Y:-${A}}", "$$A"], label_file: "${Y-l}"}
secrets: {s: {file: "${A:-x}.txt"}}
""",
    )
    assert set(inputs(tmp_path, "c.yaml")) == {
        *(".env", "c.yaml", "prod/x.yaml", "prod-2.yaml", "prod.env", "d.env", "e.env", "a b#c"),
        *("l", "prod.txt"),
    }


def test_files_that_include_each_other_are_read_once(tmp_path: Path) -> None:
    write(tmp_path, a__yaml="include: [b.yaml]", b__yaml="include: [a.yaml, b.yaml]")
    assert inputs(tmp_path, "a.yaml") == [".env", "a.yaml", "b.yaml"]


@pytest.mark.parametrize("text", ["\0", "a: [", "services: &a {x: *a}", "[" * 5000, "\xff", "- 1"])
def test_a_file_that_is_no_yaml_names_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text, encoding="latin-1")
    assert inputs(tmp_path, "a.yaml") == [".env", "a.yaml"]


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.sampled_from(["a.env", "", "${X}"])),
    lambda each: st.one_of(
        st.lists(each, max_size=3),
        st.dictionaries(
            st.sampled_from(["services", "include", "path", "extends", "file", "env_file", "a"]),
            each,
            max_size=3,
        ),
    ),
)


@cases(200)
@given(JSON)
def test_any_definition_has_an_answer(definition: object) -> None:
    read = definition if isinstance(definition, dict) else {}
    found = [*compose_inputs._further(read, {}), *compose_inputs._beside(read, {})]
    assert all(isinstance(each, str) and "$" not in each for each in found)
