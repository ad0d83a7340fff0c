"""The key of a server with TLS in an export: whoever makes it, the server there can read it."""

import os
import stat
from pathlib import Path

import pytest
from leaving import SECRET, files, plan, source

from env_file import env
from sockwake.admin.access import inside
from sockwake.admin.leave import dump, export
from sockwake.admin.leave.server import Server
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings, load
from tree import Tree, run

END = "--\n-- PostgreSQL database cluster dump complete\n--\n"
NOBODY = 65534
ALPINE = 'case "$*" in "-u postgres") echo 70 ;; "-g postgres") echo 71 ;; *) exit 1 ;; esac'


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("to", ["compose", "quadlet"])
def test_an_ordinary_user_can_write_it(
    to: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whom the server is in the user's containers, the user can give no file to."""
    monkeypatch.setattr(dump, "write", lambda *_: None)  # which only a server that runs can
    for path in (tmp_path, *tmp_path.parents[:2]):
        path.chmod(path.stat().st_mode | 0o011)

    instance = Instance(Name("shop-1"))

    def write(place: Path) -> None:
        server = Server(instance, Settings(env(), instance), SECRET)
        export._write(server, source(tls=True), plan(to, tls=True), [], str(place))

    write(tmp_path / "root")  # with all that Python has to read
    place = tmp_path / "user"
    place.mkdir()
    os.chown(place, NOBODY, NOBODY)
    child = os.fork()
    if not child:
        try:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            write(place / "out")
            os._exit(0)
        except BaseException as error:
            print(error)
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    for folder, owner in ((place / "out", NOBODY), (tmp_path / "root", 0)):
        key = (folder / "server.key").stat()
        assert (key.st_uid, stat.S_IMODE(key.st_mode)) == (owner, 0o600)


def test_load_gives_it_to_the_server_before_that_starts(tmp_path: Path) -> None:
    for name, file in files("compose", tls=True).items():
        (tmp_path / name).write_text(file.text)
    (tmp_path / "cluster.sql").write_text(END)
    (tmp_path / "compose").write_text('#!/bin/sh\necho "$*" >>"$0.log"\n')
    (tmp_path / "compose").chmod(0o755)
    ran = run("sh", str(tmp_path / "load"), env={"COMPOSE": str(tmp_path / "compose")})
    assert (ran.status, ran.stdout) == (0, "All of cluster.sql is loaded.\n"), ran
    first, second, *_ = (tmp_path / "compose.log").read_text().splitlines()
    assert first == (
        "run --rm -T --no-deps --user root --entrypoint chown "
        f"--volume {tmp_path}/server.key:/server.key postgres postgres: /server.key"
    )
    assert second == "up --detach --wait"
    assert "chown" not in files("compose")["load"].text


@pytest.mark.parametrize("kind", [{}, {"ENGINE": "podman", "RUNTIME": "engine"}])
def test_the_image_is_asked_who_its_server_is(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: dict[str, str]
) -> None:
    """In the container, which has an id(1), and an account of this name or none."""
    where = ["env", f"PATH={tmp_path}:{os.environ['PATH']}"]
    monkeypatch.setattr(inside, "without_terminal", lambda *_: where)
    instance = tree.write_env("pg1", env(**kind))
    server = Server(instance, load(instance), "")
    for body, owner in ((ALPINE, (70, 71)), ("exit 1", (999, 999)), ("echo who?", (999, 999))):
        (tmp_path / "id").write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / "id").chmod(0o755)
        assert server.owner() == owner


def test_of_a_server_of_the_host_it_is_the_official_image_that_comes_in_its_place(
    tree: Tree,
) -> None:
    tree.new("pg1", "--runtime", "host")
    instance = tree.instance("pg1")
    assert Server(instance, load(instance), "").owner() == (999, 999)
