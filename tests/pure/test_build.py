"""The package as `make deb` builds it: the same bytes whatever is around it, and a repository."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tree import SOURCE, Ran, run

pytestmark = pytest.mark.skipif(
    not shutil.which("dh_bash-completion"), reason="debhelper is not installed"
)
IGNORED = shutil.ignore_patterns(".git", ".*_cache", ".hypothesis", "__pycache__", "dist")


def build(place: Path, umask: int, *around: str, **environment: str) -> Path:
    """Build the package of a copy of the source in a directory, and return that."""
    source = place / "sockwake"
    source.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(SOURCE, source, ignore=IGNORED, symlinks=True)
    argv = [*around, "dpkg-buildpackage", "-d", "-us", "-uc"]
    done = subprocess.run(
        argv,
        check=False,
        cwd=source,
        env={"PATH": os.environ["PATH"], **environment},
        umask=umask,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return place


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("built")
    return build(place, 0o022, LC_ALL="C.UTF-8", HOME="/root")


def digests(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.suffix in (".deb", ".dsc", ".xz")
    }


@pytest.mark.soak
def test_elsewhere_later_and_in_another_locale_the_same_bytes_come_out(
    built: Path, tmp_path: Path
) -> None:
    later = ("faketime", "+400days +7hours +23minutes", "env", "TZ=Pacific/Kiritimati")
    other = {"LC_ALL": "C", "LANG": "C", "HOME": str(tmp_path), "DEB_BUILD_OPTIONS": "parallel=3"}
    other["NO_FAKE_STAT"] = "1"  # the sources are as old as they were
    place = build(tmp_path / "a place/with spaces", 0o077, *later, **other)
    before = digests(built)
    assert digests(place) == before and len(before) == 3


def signing_key(home: Path, name: str) -> Path:
    """A throw-away key, as `gpg --export-secret-keys` writes it."""
    home.mkdir(mode=0o700)
    gpg = ("gpg", "--batch", "--quiet", "--homedir", str(home), "--pinentry-mode", "loopback")
    made = run(*gpg, "--passphrase", "", "--quick-generate-key", name, "ed25519", "sign", "never")
    assert made.status == 0, made
    file = home / "key"
    assert run(*gpg, "--output", str(file), "--export-secret-keys").status == 0
    run("gpgconf", "--homedir", str(home), "--kill", "all")
    return file


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "dist"
    place.mkdir()
    for deb in built.glob("*.deb"):
        shutil.copy(deb, place)
    yield place


def repository(folder: Path, *key: Path) -> None:
    ran = run(str(SOURCE / "tests/repository"), str(folder), *map(str, key))
    assert (ran.status, ran.stdout) == (0, ""), ran


def apt(place: Path, options: str, uri: Path, *arguments: str) -> Ran:
    """apt-get with this repository as its only one."""
    for each in ("lists/partial", "cache/archives/partial", "etc"):
        (place / each).mkdir(parents=True, exist_ok=True)
    (place / "list").write_text(f"deb {options} file:{uri} ./\n")
    settings = {
        "Dir::Etc::SourceList": place / "list",
        "Dir::Etc::SourceParts": place / "etc",
        "Dir::State::Lists": place / "lists",
        "Dir::Cache": place / "cache",
        "APT::Sandbox::User": "root",
    }
    told = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    return run("apt-get", *told, *arguments)


def test_apt_takes_a_signed_repository_and_no_other(folder: Path, tmp_path: Path) -> None:
    key = signing_key(tmp_path / "home", "throw-away")
    repository(folder, key)
    signed = f"[signed-by={folder}/sockwake.asc]"
    assert apt(tmp_path / "apt", signed, folder, "update").status == 0
    shown = apt(tmp_path / "apt", signed, folder, "--print-uris", "download", "sockwake")
    assert shown.status == 0 and f"file:{folder}/./sockwake_" in shown.stdout
    other = signing_key(tmp_path / "other", "another")
    shutil.copy(folder / "sockwake.asc", tmp_path / "first.asc")
    repository(folder, other)
    assert apt(tmp_path / "2", f"[signed-by={tmp_path}/first.asc]", folder, "update").status


def test_an_unsigned_one_has_to_be_trusted_by_hand(folder: Path, tmp_path: Path) -> None:
    repository(folder, signing_key(tmp_path / "home", "throw-away"))
    repository(folder)
    left = {path.name for path in folder.iterdir() if path.suffix != ".deb"}
    assert left == {"Packages", "Packages.gz", "Release"}, "no signature of an earlier one"
    assert apt(tmp_path / "1", "", folder, "update").status
    assert apt(tmp_path / "2", "[trusted=yes]", folder, "update").status == 0


def test_a_spoilt_key_leaves_the_repository_as_it_was(folder: Path, tmp_path: Path) -> None:
    repository(folder)
    before = contents(folder)
    (tmp_path / "key").write_text("no key\n")
    ran = run(str(SOURCE / "tests/repository"), str(folder), str(tmp_path / "key"))
    assert ran.status and "no valid OpenPGP data" in ran.stderr
    assert contents(folder) == before


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}
