"""`apt install sockwake`, from the repository that `make deb` leaves in dist/."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from manual import SOURCE, block
from package import DEB, apt, install, is_installed
from program import Ran, must, run

SOURCES = Path("/etc/apt/sources.list.d/sockwake-test.sources")
PAGE = "docs/administration.md"

pytestmark = [
    pytest.mark.skipif(not DEB, reason="SOCKWAKE_DEB= names no package to install"),
    pytest.mark.usefixtures("machine"),
]


@pytest.fixture
def dist() -> Iterator[Path]:
    """A directory with the package, which apt's own user may read."""
    place = Path("/var/tmp/dist")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(mode=0o755)
    shutil.copy(DEB, place)
    yield place
    shutil.rmtree(place)
    SOURCES.unlink(missing_ok=True)
    must("apt-get", "update")
    if not is_installed():
        install(DEB)


def stanza(place: Path, trust: str) -> str:
    """What the manual has an administrator write, of another place and another trust."""
    typed = block(PAGE, "### For many servers", "curl ")
    text = typed.partition("<<'END'\n")[2].partition("\nEND")[0]
    text = text.replace("https://apt.example.org/sockwake/", f"file:{place}")
    key = "Signed-By: /etc/apt/keyrings/sockwake.asc"
    assert key in text and f"file:{place}" in text
    return f"{text.replace(key, trust)}\n"


def update(trust: str, place: Path) -> Ran:
    """apt-get update, which knows nothing of an earlier one."""
    for known in Path("/var/lib/apt/lists").glob("*_dist_*"):
        known.unlink()
    SOURCES.write_text(stanza(place, trust))
    return run("apt-get", "-o", "APT::Update::Error-Mode=any", "update", timeout=120)


def installs() -> None:
    """The very command."""
    apt("purge", "sockwake")
    apt("install", "sockwake")
    assert is_installed()


def test_apt_installs_it_by_its_name_once_trusted(dist: Path) -> None:
    must(f"{SOURCE}/tests/repository", str(dist))
    assert update("Enabled: yes", dist).status, "an unsigned one is taken by no default"
    update("Trusted: yes", dist).expect(0)
    installs()


def test_apt_installs_it_when_it_is_signed_and_nothing_that_was_changed(
    dist: Path, tmp_path: Path
) -> None:
    tmp_path.chmod(0o700)
    gpg = ("gpg", "--batch", "--homedir", str(tmp_path), "--passphrase", "")
    must(*gpg, "--quick-generate-key", "throw-away", "ed25519", "sign", "never")
    key = tmp_path / "key"
    must(*gpg, "--pinentry-mode=loopback", "--output", str(key), "--export-secret-keys")
    must("gpgconf", "--homedir", str(tmp_path), "--kill", "all")
    must(f"{SOURCE}/tests/repository", str(dist), str(key))
    signed = f"Signed-By: {dist}/sockwake.asc"
    update(signed, dist).expect(0)
    installs()
    packages = dist / "Packages"
    packages.write_text(packages.read_text().replace("Priority: optional", "Priority: required"))
    (dist / "Packages.gz").unlink()
    changed = update(signed, dist)
    assert changed.status and "Hash Sum mismatch" in changed.err, changed
