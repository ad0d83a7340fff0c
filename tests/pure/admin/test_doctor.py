"""sockwake doctor: what is found in files. system/test_doctor.py does the damage to a machine."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from env_file import COMMAND, CONTAINER, NATIVE, PROJECT, env, text_of
from sockwake.admin import inventory
from sockwake.admin.backup import restored
from sockwake.admin.show.doctor import (
    forwarded,
    instances,
    leftovers,
    machine,
    needed,
    table,
    upkeep,
)
from sockwake.admin.show.doctor.finding import Check, Finding, Found, Patient
from sockwake.admin.show.doctor.upkeep import unfinished_commands as unfinished
from sockwake.config.instance import Instance
from sockwake.errors import UNKNOWN, SockwakeError
from sockwake.lifecycle import first_wake
from tree import SOCKWAKE, SOURCE, Tree, run


def found(tree: Tree, check: Check, *, is_whole: bool = True) -> list[Finding]:
    """What a check finds in a tree."""
    root = str(tree)
    return [*check(Patient(inventory.instances(root), is_whole=is_whole, root=root))]


def password(instance: Instance) -> None:
    Path(instance.password_file).write_text("secret\n")
    os.chmod(instance.password_file, 0o644)


def writable(instance: Instance) -> None:
    os.chmod(instance.env_file, 0o666)


def failed(instance: Instance) -> None:
    Path(instance.run).mkdir(parents=True)
    Path(instance.failure_file).write_text("image postgres:18 is not on this machine\n")


def trusting(instance: Instance) -> None:
    cluster = Path(instance.root, "var/lib/sockwake/pg1/18/docker")
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text("18\n")
    (cluster / "pg_hba.conf").write_text("# a comment\nlocal all all trust\n")


def broken(instance: Instance) -> None:
    Path(instance.env_file).write_text("PORT=x\n")


def claimed(instance: Instance) -> None:
    other = Path(instance.etc).parent / "shop"
    other.mkdir()
    (other / "instance.env").write_text(env(LISTEN="127.0.0.1,::1"))


def renaming(instance: Instance) -> None:
    Path(instance.renaming_file).write_text("shop enabled open\n")


def copying(instance: Instance) -> None:
    Path(instance.copying_file).write_text("shop\n")


def moving(instance: Instance) -> None:
    Path(instance.moving_file).write_text("engine\n")


def restoring(instance: Instance) -> None:
    swap = restored.Swap("/a", "/b", "1", "2")
    note = restored.Note("2026-01-01T000000Z.files", restored.UNDOING, (swap,), None, None)
    note.write(instance)


def about_to_restore(instance: Instance) -> None:
    note = restored.Note("2026-01-01T000000Z.files", restored.STAGING, (), None, None)
    note.write(instance)


@pytest.mark.parametrize(
    ("damage", "check", "what", "mend"),
    [
        (password, instances.modes, "others may read {etc}/password (mode 0644)", "chmod 0600 "),
        (writable, instances.modes, "others may write {etc}/instance.env", "chmod 0644 {etc}/inst"),
        (failed, instances.failed_wakes, "its last wake failed: image postg", "journalctl -u pg-"),
        (trusting, instances.trust, "its server asks no password: ", "editor {root}/var/lib/"),
        (broken, instances.broken, "{etc}/instance.env: key 'KIND' is missing", "editor {etc}/ins"),
        (renaming, unfinished, "its rename from shop was not", "sockwake rename shop pg1"),
        (copying, unfinished, "the copy that it is of 'shop' was", "sockwake copy shop pg1"),
        (moving, unfinished, "its move to another runtime was", "sockwake runtime pg1 engine"),
        (restoring, unfinished, "its restore from 2026-01-01T00", "sockwake restore pg1"),
        (about_to_restore, unfinished, "its restore from 2026-01-", "sockwake restore pg1 --from"),
        (claimed, machine.ports_claimed_twice, "instances pg1, shop have the same place", "editor"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_damage_is_found_with_what_mends_it(
    tree: Tree, damage: Callable[[Instance], None], check: Check, what: str, mend: str
) -> None:
    instance = tree.write_env("pg1", env())
    assert found(tree, check) == []
    damage(instance)
    ours = {"etc": instance.etc, "root": str(tree)}
    each = next(iter(found(tree, check)))
    assert each.what.startswith(what.format(**ours)), each
    assert each.mend.startswith(mend.format(**ours)), each
    if each.fix:
        table.mend([Found("mode", each)])
        assert found(tree, check) == []


def test_what_a_command_works_on_is_not_taken_for_what_was_killed(tree: Tree) -> None:
    instance = tree.write_env("pg1", env())
    renaming(instance)
    with inventory.held(instance.name, str(tree)):
        assert found(tree, unfinished) == []
    Path(instance.renaming_file).write_text("pg1 enabled\n")
    assert found(tree, unfinished) == [], "it has its name, and its port is looked at elsewhere"


def test_what_cannot_be_mended_stays_with_the_reason(tree: Tree) -> None:
    def fails() -> None:
        raise SockwakeError("systemd does not answer")

    one = Found("generated", Finding("it is old", "systemctl daemon-reload", "pg1", fails))
    table.mend([one, Found("trust", Finding("no password", "editor x"))])
    assert (one.fixed, one.facts()["problem"]) == (False, "systemd does not answer")
    assert table.line(one) == (
        "pg1: it is old (not fixed: systemd does not answer): systemctl daemon-reload"
    )


@pytest.mark.parametrize(
    ("said", "is_old"),
    [
        ("ss utility, iproute2-6.15.0, libbpf 1.5.0", False),
        ("ss utility, iproute2-5.1.0", True),
        ("Docker Compose version v2.18.1", True),
        ("nothing", False),
    ],
)
def test_a_version_is_what_a_program_says(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, is_old: bool
) -> None:
    program = tmp_path / "old-program"
    program.write_text(f"#!/bin/sh\necho '{said}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    least = (2, 19) if "Compose" in said else (5, 2)
    monkeypatch.setattr(machine, "_VERSIONS", (("old-program", "--version", least, "is bad"),))
    assert bool(found(tree, machine.versions)) == is_old
    assert found(tree, machine.versions, is_whole=False) == []


def test_needrestart_is_told_once(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "NEEDRESTART", str(tmp_path / "needrestart"))
    (tmp_path / "needrestart/conf.d").mkdir(parents=True)
    assert found(tree, machine.needrestart) == []
    (tmp_path / "needrestart/needrestart.conf").write_text("# qr(^pg-postgres@) => 0,\n")
    [one] = found(tree, machine.needrestart)
    assert one.fix
    one.fix()
    assert found(tree, machine.needrestart) == []


def test_every_check_has_its_line_in_the_table() -> None:
    made = {
        function
        for module in (forwarded, instances, leftovers, machine, needed, upkeep)
        for name, function in vars(module).items()
        if callable(function)
        and getattr(function, "__module__", "") == module.__name__
        and not name.startswith("_")
    }
    assert made == set(table.CHECKS.values())
    page = (SOURCE / "docs/man/sockwake.8").read_text()
    assert ".It Cm doctor Op Ar NAME" in page and all(check.__doc__ for check in made)


def test_an_instance_that_is_not_there_is_an_error() -> None:
    ran = run(*SOCKWAKE, "doctor", "nosuch")
    assert (ran.status, ran.stdout) == (UNKNOWN, "")
    assert ran.stderr.startswith("sockwake: error: there is no instance 'nosuch'\n")


def test_a_check_that_cannot_be_made_is_told_and_keeps_no_other_from_it(
    monkeypatch: pytest.MonkeyPatch, tree: Tree
) -> None:
    instance = tree.write_env("pg1", "PORT=x\n")
    first = {name: table.CHECKS[name] for name in ("broken", "mode")}

    def unreadable(patient: Patient) -> Iterator[Finding]:
        yield Finding("one", "mend it")
        os.listdir(f"{tree}/absent")

    monkeypatch.setattr(table, "CHECKS", {"disk": unreadable, **first})
    password(instance)
    found = table.examine([instance], is_whole=False)
    assert [each.check for each in found] == ["disk", "disk", "broken", "mode"]
    assert found[1].finding.what == (
        f"the check 'disk' could not be made: cannot use {tree}/absent: no such file or directory"
    )


def test_a_project_that_has_gone_is_found(tree: Tree) -> None:
    tree.write_env("shop", text_of(PROJECT))
    (each,) = found(tree, needed.projects)
    assert each.what == f"there is no compose project at {tree}/srv/shop"
    assert each.mend.startswith("sockwake rm after a move")


@pytest.mark.parametrize("text", [env(), text_of(CONTAINER, DATA="/srv/pages")])
def test_data_that_have_gone_are_found_unless_they_were_never_made(
    tree: Tree, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = tree.write_env("pg1", text)
    monkeypatch.setattr(first_wake, "is_in_memory", lambda _: True)
    assert found(tree, needed.data) == [], "this boot has begun without them"
    monkeypatch.setattr(first_wake, "is_in_memory", lambda _: False)
    (each,) = found(tree, needed.data)
    assert each.what.startswith(f"its data have gone: there is nothing in {tree}/")
    (tree.path / "srv/pages").mkdir(parents=True)
    tree.write_cluster("/var/lib/sockwake/pg1/18/docker", "18")
    assert found(tree, needed.data) == []
    for place in ("srv", "var"):
        (tree.path / place).rename(tree.path / f"{place}.away")
    Path(instance.uninitialised_file).touch()
    assert found(tree, needed.data) == []


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        (COMMAND, "ExecStart=/opt/x/server --port 1"),
        (COMMAND, 'ExecStart=-"/opt/x/server" a'),
        (NATIVE, "ExecStart=/usr/libexec/sockwake/native /opt/x/server"),
        (NATIVE, "ExecStart=/usr/libexec/sockwake/when-wanted /opt/x/server a"),
    ],
)
def test_a_program_that_has_gone_is_found(tree: Tree, kind: dict[str, str], line: str) -> None:
    instance = tree.write_env("p1", text_of(kind))
    Path(instance.service_file).write_text(f"[Service]\n{line}\n")
    (each,) = found(tree, needed.programs)
    assert each.what == f"its program {tree}/opt/x/server has gone"
    for elsewhere in (f"RootDirectory=/opt\n{line}\n", "ExecStart=%h/x\n"):
        Path(instance.service_file).write_text(f"[Service]\n{elsewhere}")
        assert found(tree, needed.programs) == []
    Path(instance.service_file).write_text(f"[Service]\n{line}\n")
    program = tree.path / "opt/x/server"
    program.parent.mkdir(parents=True)
    program.touch(0o755)
    assert found(tree, needed.programs) == []
