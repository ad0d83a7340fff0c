"""A server that is at work on a cluster, whoever has started it, by Python and by bin/container."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from env_file import env
from sockwake.config.settings import Settings, load
from sockwake.errors import IN_USE, SockwakeError
from sockwake.lifecycle import runtime, served
from tree import SOURCE, Tree


@pytest.fixture
def settings(tree: Tree) -> Settings:
    settings = load(tree.write_env("pg1", env(DATA=f"{tree}/data")))
    Path(settings.cluster).mkdir(parents=True)
    return settings


@contextmanager
def process(directory: str, name: str) -> Iterator[int]:
    """A process that is called so, and works in there."""
    program = Path(directory).with_name(name)
    shutil.copy(shutil.which("sleep") or "sleep", program)
    with subprocess.Popen([program, "60"], cwd=directory) as running:
        yield running.pid
        running.kill()


def by_python(settings: Settings) -> bool:
    return served.server_of(settings) > 0


def by_container(settings: Settings) -> bool:
    """As bin/container looks, on the way of a wake."""
    script = (SOURCE / "bin/container").read_text()
    function = (
        "is_served() {" + script.partition("is_served() {")[2].partition("\n}\n")[0] + "\n}\n"
    )
    argv = ["sh", "-euc", f'{function}is_served "$1"', "sh", settings.cluster]
    return subprocess.run(argv, check=False).returncode == 0


@pytest.mark.parametrize("look", [by_python, by_container])
def test_a_server_is_one_that_works_in_the_cluster_until_its_last_moment(
    settings: Settings, look: Callable[[Settings], bool]
) -> None:
    note = Path(settings.cluster, "postmaster.pid")
    note.write_text("1\n")  # the number is one of its container's
    assert not look(settings)
    with process(settings.cluster, "vi"), process(settings.data, "postgres"):
        assert not look(settings)
    with process(settings.cluster, "postgres"):
        assert look(settings)
        note.unlink()
        assert not look(settings)


def test_one_that_stays_is_an_error_that_names_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(settings.cluster, "postmaster.pid").write_text("1\n")
    runtime.require_unserved(settings)
    monkeypatch.setattr(served, "_PATIENCE", 0.2)
    with process(settings.cluster, "postgres") as pid:
        said = f"another server is using {settings.cluster}: process {pid}"
        with pytest.raises(SockwakeError, match=said) as caught:
            runtime.require_unserved(settings)
    assert caught.value.status == IN_USE
