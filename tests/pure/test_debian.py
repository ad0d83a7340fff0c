"""The package's own files, read with Debian's parser."""

import ast
import re
import shutil
import sys
from pathlib import Path

import pytest
from debian.changelog import Changelog
from debian.deb822 import Deb822, PkgRelation

from sockwake.admin import version
from sockwake.admin.show.doctor import machine
from sockwake.config.instance import Instance, Name
from sockwake.engine.api import API
from tree import SOCKWAKE, SOURCE, run

DEBIAN = SOURCE / "debian"
COMPLETIONS = [f"debian/completions/{name}" for name in ("sockwake", "_sockwake", "sockwake.fish")]


@pytest.fixture
def changelog() -> Changelog:
    return Changelog((DEBIAN / "changelog").read_text(), strict=True)


@pytest.fixture
def control() -> list[Deb822]:
    with open(DEBIAN / "control", encoding="utf-8") as file:
        return list(Deb822.iter_paragraphs(file))


def pairs(name: str) -> list[list[str]]:
    return [
        line.split()
        for line in (DEBIAN / name).read_text().splitlines()
        if line and not line.startswith("#")
    ]


def relations(field: str) -> list[list[str]]:
    """The alternatives of every relation, with their versions."""
    parsed = PkgRelation.parse_relations(re.sub(r"\$\{[^}]*\},?", "", field).strip().rstrip(","))
    return [
        [f"{one['name']} {' '.join(one.get('version') or ())}".strip() for one in group]
        for group in parsed
    ]


def test_the_changelog_is_well_formed_and_for_this_package(changelog: Changelog) -> None:
    assert changelog.package == "sockwake" and len(changelog) >= 1
    assert changelog.debian_revision is None, "a native package has no revision"


def test_the_version_comes_from_the_changelog(changelog: Changelog) -> None:
    assert version.find() == str(changelog.version)
    assert run(*SOCKWAKE, "--version").stdout == f"sockwake {changelog.version}\n"


def test_the_version_is_written_down_nowhere_else(changelog: Changelog) -> None:
    places = [
        *SOURCE.glob("sockwake/**/*.py"),
        *SOURCE.glob("bin/*"),
        *SOURCE.glob("systemd/*"),
        DEBIAN / "control",
        SOURCE / "Makefile",
    ]
    assert [
        path
        for path in places
        if path.is_file() and str(changelog.full_version) in path.read_text()
    ] == []


def test_the_control_file_makes_one_package_for_every_architecture(control: list[Deb822]) -> None:
    source, package = control
    assert (source["Source"], package["Package"], package["Architecture"]) == (
        "sockwake",
        "sockwake",
        "all",
    )
    assert "debhelper-compat = 13" in {
        one for group in relations(source["Build-Depends"]) for one in group
    }
    assert (DEBIAN / "source/format").read_text() == "3.0 (native)\n"


def test_a_wake_needs_no_engine_and_nothing_that_only_making_takes(control: list[Deb822]) -> None:
    """debian/control tells what each is needed for, and each version."""
    needed, wanted = relations(control[1]["Depends"]), relations(control[1]["Recommends"])
    assert needed == [
        ["crun"],
        ["golang-github-containers-common"],
        ["iproute2 >= 5.2"],
        ["mount"],
        ["openssl >= 3.0"],
        ["python3 >= 3.11"],
        ["python3-yaml"],
        ["systemd >= 254"],
    ]
    assert {"python3-jinja2", "skopeo", "umoci"} <= {one for group in wanted for one in group}


def test_an_engine_and_its_clients_are_recommended(control: list[Deb822]) -> None:
    wanted = relations(control[1]["Recommends"])
    assert ["docker-cli", "docker-ce-cli", "podman"] in wanted
    assert ["docker-compose >= 2.19", "docker-compose-plugin >= 2.19"] in wanted, (
        "older ones know no !reset, or only one of two"
    )
    assert ["docker.io >= 25", "docker-ce >= 5:25", "podman"] in wanted and API == "/v1.44", (
        "Docker 25 is the first with that API"
    )


def test_nothing_is_imported_but_what_the_package_needs_or_recommends(
    control: list[Deb822],
) -> None:
    imported = {
        name.partition(".")[0]
        for path in SOURCE.glob("sockwake/**/*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in _imported_by(node)
    }
    others = imported - set(sys.stdlib_module_names) - {"sockwake"}
    assert others == {"jinja2", "yaml"}
    assert "python3-jinja2" in control[1]["Recommends"], "by what only making takes"
    assert "python3-yaml" in control[1]["Depends"], "by every command"


def _imported_by(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
        return [ast.literal_eval(node.args[0])]
    return []


def test_all_that_is_installed_is_here_and_all_that_is_here_is_installed() -> None:
    sources = [
        source for source, _ in pairs("sockwake.install") + pairs("sockwake.bash-completion")
    ]
    missing = [source for source in sources if not (SOURCE / source).exists()]
    assert sorted(missing) == sorted(COMPLETIONS)
    rules = (DEBIAN / "rules").read_text()
    assert [each for each in COMPLETIONS if f">{each}\n" not in rules] == [], "made by the build"
    assert {str(path.relative_to(SOURCE)) for path in _under_systemd()} <= set(sources)


def _under_systemd() -> list[Path]:
    return [path for path in (SOURCE / "systemd").rglob("*") if path.is_file()]


def test_every_program_the_units_and_scripts_call_is_linked_to_one_in_the_tree() -> None:
    links = {
        link: target.replace("usr/share/sockwake/", "")
        for target, link in pairs("sockwake.links")
        if "/bin/" in target
    }
    assert [target for target in links.values() if not (SOURCE / target).is_file()] == []
    called = set()
    for path in [*_under_systemd(), *(SOURCE / "bin").iterdir()]:
        called |= set(re.findall(r"/(usr/libexec/sockwake/[\w-]+)", path.read_text()))
    assert called <= links.keys() and len(called) >= 3
    assert {"usr/bin/sockwake", "usr/bin/sockwake-new"} <= links.keys()


def test_every_document_is_installed() -> None:
    """README, manual pages and messages send readers to any of them."""
    listed = (DEBIAN / "sockwake.docs").read_text().split()
    documents = {
        str(path.relative_to(SOURCE)) for path in (SOURCE / "docs").iterdir() if path.is_file()
    }
    assert sorted(listed) == listed and set(listed) == {"README.md", *documents}


def test_every_manual_page_is_installed() -> None:
    pages = {
        path
        for pattern in (DEBIAN / "sockwake.manpages").read_text().split()
        for path in SOURCE.glob(pattern)
    }
    assert (
        pages == set((SOURCE / "docs/man").glob("*"))
        and Path(SOURCE / "docs/man/sockwake.8") in pages
    )


def test_needrestart_leaves_alone_what_works_on_data_and_doctor_writes_the_same() -> None:
    [rule] = re.findall(r"^\$.*$", (DEBIAN / "needrestart/sockwake.conf").read_text(), re.MULTILINE)
    assert rule == machine._KEEP_OFF  # what doctor writes where that file is gone
    [expression] = re.findall(r"qr\((.*)\)\} = 0;", rule)
    instance = Instance(Name("pg1"))
    units = {path.name.replace("@", "@pg1") for path in (SOURCE / "systemd").glob("pg-*@.service")}
    units |= {"pg-keep@pg1:1.service", instance.init_unit}
    units |= {"sockwake-programs-pg1-upgrade.service"}  # of sockwake/lifecycle/passing.py
    assert [unit for unit in units if not re.search(expression, unit)] == []


@pytest.mark.parametrize("scope", ["system", "user"])
def test_a_preset_enables_the_target_alone(tmp_path: Path, scope: str) -> None:
    """As an image builder calls it, and the first boot of an image; Debian's default is enable."""
    for source, place in pairs("sockwake.install"):
        if place.startswith("usr/lib/systemd"):
            (tmp_path / place).mkdir(parents=True, exist_ok=True)
            shutil.copy(SOURCE / source, tmp_path / place)
    ran = run("systemctl", f"--root={tmp_path}", *(["--global"] * (scope == "user")), "preset-all")
    assert ran.status == 0, ran
    links = (tmp_path / "etc/systemd" / scope).glob("*.wants/*")
    assert [path.name for path in links] == ["sockwake.target"]
