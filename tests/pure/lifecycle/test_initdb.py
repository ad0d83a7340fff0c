"""A cluster's password that outlives its instance, and an image that makes no cluster."""

import os
import stat
from pathlib import Path

import pytest

from sockwake.config.instance import Instance
from sockwake.config.settings import load
from sockwake.engine import belongings
from sockwake.engine.api import Engine
from sockwake.errors import SockwakeError
from sockwake.lifecycle import initdb
from sockwake.lifecycle.init_container import InEngine
from sockwake.postgres.password import (
    forget_password,
    keep_password,
    kept_password,
    make,
    new_password,
)
from tree import Tree


@pytest.fixture
def data(tree: Tree) -> str:
    path = tree.path / "data"
    path.mkdir()
    return str(path)


def instance_with(tree: Tree, password: str) -> Instance:
    instance = tree.write_env("pg1", "")
    Path(instance.password_file).write_text(password)
    return instance


def test_a_password_is_kept_for_root_alone_and_found_again(tree: Tree, data: str) -> None:
    assert keep_password(instance_with(tree, "secret\n"), data)
    assert stat.S_IMODE(os.stat(f"{data}/sockwake-password").st_mode) == 0o600
    assert kept_password(data) == "secret"
    forget_password(data)
    assert (kept_password(data), os.listdir(data)) == ("", [])


@pytest.mark.parametrize("password", ["", "\n"])
def test_no_password_is_nothing_to_keep(tree: Tree, data: str, password: str) -> None:
    assert not keep_password(instance_with(tree, password), data)
    assert os.listdir(data) == []


def test_without_a_cluster_there_is_nothing_to_keep_it_for(tree: Tree, data: str) -> None:
    """A directory with only a password in it would be "not empty" to the next sockwake-new."""
    instance = instance_with(tree, "secret\n")
    Path(instance.uninitialised_file).write_text("")
    assert not keep_password(instance, data)
    assert os.listdir(data) == []


@pytest.mark.parametrize("name", ["sockwake-password", "sockwake-password.new"])
def test_a_link_planted_beside_the_data_is_replaced_and_not_followed(
    tree: Tree, data: str, name: str
) -> None:
    victim = tree.path / "victim"
    victim.write_text("as it was")
    os.symlink(victim, f"{data}/{name}")
    assert keep_password(instance_with(tree, "secret\n"), data)
    assert victim.read_text() == "as it was"
    assert kept_password(data) == "secret"


def test_what_is_planted_to_be_read_is_no_password(tree: Tree, data: str) -> None:
    os.symlink("/etc/passwd", f"{data}/sockwake-password")
    assert kept_password(data) == ""
    os.unlink(f"{data}/sockwake-password")
    os.mkfifo(f"{data}/sockwake-password")
    assert kept_password(data) == "", "and it does not wait for a writer"


def test_passwords_are_long_and_different() -> None:
    passwords = {new_password() for _ in range(100)}
    assert len(passwords) == 100 and {len(password) for password in passwords} == {33}


def test_a_password_file_that_is_there_is_kept(tree: Tree) -> None:
    instance = instance_with(tree, "mine\n")
    make(instance)
    assert Path(instance.password_file).read_text() == "mine\n"


def test_an_image_that_puts_its_cluster_elsewhere_leaves_nothing_that_is_taken_for_one(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.new("pg1")
    instance = tree.instance("pg1")
    settings = load(instance)

    def makes_that_of_another_version(
        instance: Instance, settings: object, init: InEngine, staged: str, *_: object
    ) -> None:
        os.mkdir(f"{staged}/data")
        Path(staged, "data/PG_VERSION").write_text("17")

    os.makedirs(settings.data)
    monkeypatch.setattr(belongings, "remove_container", lambda engine, instance, name: None)
    monkeypatch.setattr(initdb, "_run_entrypoint", makes_that_of_another_version)
    with pytest.raises(SockwakeError, match="the image has made no cluster in"):
        init = InEngine(instance, settings, Engine("/nonexistent"))
        initdb.initialise(instance, settings, init, lambda text: None)
    assert os.listdir(settings.data) == [".initialising"] and os.path.exists(
        instance.uninitialised_file
    )
