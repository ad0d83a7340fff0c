"""What is said when a program is missing: its package. It really is missing, from PATH."""

import re
import sys
from pathlib import Path

import pytest

from sockwake.engine.compose_project import program
from sockwake.system import packages, process
from sockwake.system.process import NotInstalled, ProgramError
from tree import SOURCE, Ran, Tree, run

WRAPPERS = ("env", "false", "setpriv", "sh", "unshare")


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH of a machine with nothing but what runs other programs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in WRAPPERS:
        (folder / name).symlink_to(f"/usr/bin/{name}")
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.mark.parametrize(
    "argv",
    [
        ["skopeo", "copy"],
        ["setpriv", "--pdeathsig", "KILL", "skopeo", "copy", "umoci"],
        ["env", "-i", "LC_ALL=C", "skopeo", "copy"],
        ["env", "setpriv", "--pdeathsig", "KILL", "skopeo"],
    ],
)
@pytest.mark.parametrize("check", [True, False])
def test_its_package_is_named_whatever_was_to_run_it(
    bare: Path, argv: list[str], check: bool
) -> None:
    with pytest.raises(NotInstalled) as caught:
        process.run(argv, check=check)
    assert str(caught.value) == (
        "sockwake: error: skopeo is not installed\n(hint: apt install skopeo)"
    )


def test_in_a_wake_too(bare: Path) -> None:
    with pytest.raises(NotInstalled, match="umount is not installed"):
        process.spawn(["umount", "--lazy", "/nowhere"])


@pytest.mark.parametrize("command", ["false skopeo", "sh -c 'exit 127' skopeo"])
def test_a_program_that_is_there_is_not_called_missing(bare: Path, command: str) -> None:
    (bare / "skopeo").symlink_to("/usr/bin/true")
    with pytest.raises(ProgramError, match="failed with status"):
        process.run(["sh", "-c", command, "skopeo"])


def test_one_that_cannot_be_run_is_not_called_missing(bare: Path) -> None:
    (bare / "skopeo").write_text("#!/nowhere/at-all\n")
    (bare / "skopeo").chmod(0o755)
    with pytest.raises(Exception, match="cannot run skopeo: no such file or directory"):
        process.run(["skopeo"])


def test_without_compose_its_package_is_named(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sockwake.engine import compose_project

    monkeypatch.setattr(compose_project, "_PLUGINS", (str(tmp_path / "plugins"),))
    monkeypatch.setenv("HOME", str(tmp_path))
    (bare / "docker").symlink_to("/usr/bin/true")
    with pytest.raises(NotInstalled, match="docker-compose is not installed"):
        program()
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins/docker-compose").touch()
    assert program() == ["docker", "compose"]
    (bare / "docker-compose").symlink_to("/usr/bin/true")
    assert program() == ["docker-compose"]


def lacking(tree: Tree, *arguments: str) -> Ran:
    """Run sockwake where jinja2 cannot be imported."""
    program = (
        f"import sys; sys.path.insert(0, {str(SOURCE)!r}); sys.modules['jinja2'] = None;"
        "from sockwake.admin.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    return run(sys.executable, "-ISB", "-c", program, *arguments, "--root", str(tree))


def test_without_jinja2_nothing_is_made_and_its_package_is_named(tree: Tree) -> None:
    ran = lacking(tree, "new", "pg1", "--version", "18")
    assert (ran.status, ran.stdout) == (1, "") and ran.stderr == (
        "sockwake: error: python3-jinja2 is not installed\n(hint: apt install python3-jinja2)\n"
    )
    assert not (tree.path / "etc/sockwake/pg1").exists()
    assert lacking(tree, "ls").status == 0


def test_every_program_that_the_package_recommends_is_known() -> None:
    """And what is known is a package that debian/control names, or an essential one's."""
    control = (SOURCE / "debian/control").read_text()
    named = set(re.findall(r"[a-z][\w.+-]+", control.partition("\nPackage:")[2]))
    assert set(packages.OF.values()) | set(packages.ENGINES.values()) <= named
    assert {"crun", "docker-cli", "docker-compose", "skopeo", "umoci"} <= set(packages.OF.values())
