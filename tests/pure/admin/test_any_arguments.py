"""Any arguments end in success or one sentence, and change no other instance."""

import contextlib
import io
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from hypothesis import example, given
from hypothesis import strategies as st

from fuzz import cases
from generator import generate
from sockwake.admin import cli
from sockwake.config import settings
from tree import Tree

NEIGHBOUR = "etc/sockwake/good/"
TEXT = st.text(max_size=10).filter(
    lambda text: "\0" not in text
)  # no argument of a program can have one
NAMES = st.one_of(
    st.sampled_from(
        [
            "pg1",
            "good",
            "a" * 31,
            "a" * 32,
            ".",
            "..",
            "../good",
            "a/b",
            ".new-a",
            "-a",
            "@",
            "A",
            "%i",
            "$(id)",
            "",
        ]
    ),
    TEXT,
)
OPTIONS: dict[str, st.SearchStrategy[str]] = {
    "--kind": st.sampled_from(
        ["postgres", "container", "command", "native", "Native", "../native", ""]
    ),
    "--version": st.sampled_from(["18", "17.4", "9.6", "18.", "1٣", "a b", ""]),
    "--port": st.integers(-1, 70000).map(str),
    "--listen": st.sampled_from(
        [
            "::1",
            "0.0.0.0",
            "/run/db",
            "/run/..",
            "/",
            "@x",
            "fe80::1%eth0",
            "1.2.3",
            "/" + "x" * 107,
            "/é",
            "",
        ]
    ),
    "--idle": st.sampled_from(["3min", "infinity", "0", "1h\n", "soon", "9" * 400]),
    "--data": st.sampled_from(["/srv/a", "/srv/../etc", "srv", "/srv/a:b", "//"]),
    "--image": st.sampled_from(["nginx", "a b", "$IMAGE", "{version}", "-x"]),
    "--container-port": st.sampled_from(["80", "0", "080", "x"]),
    "--compose": st.sampled_from(["/nonexistent", "/", "/proc/self/mem", __file__]),
    "--mount": st.sampled_from(["/data", "/", "data", "/a:b"]),
    "--exec": st.sampled_from(
        [
            "/bin/true {port}",
            "/bin/true {socket}",
            "/bin/true",
            "true {port}",
            "/bin/true '",
            "/bin/true \\\n",
            "/bin/true %i $HOME {port} ;",
        ]
    ),
    "--run-as": st.sampled_from(["daemon", "root\n[Service]", "%u", "1000"]),
    "--ready": st.sampled_from(["tcp", "http:/", "http:/a b", "notify", "start"]),
    "--engine": st.sampled_from(["docker", "podman", "lxc"]),
    "--db-user": st.sampled_from(["me", "名", "a b", "a'b", "x" * 64, "${IMAGE}"]),
    "--set": st.sampled_from(["work_mem=64MB", "port=1", "a.b='$x'", "=", "a=1\n2"]),
    "--network": st.sampled_from(["none", "host", "my-net", "-x", "a b"]),
    "--check": st.sampled_from(["none", "builtin", "/bin/true", "/nonexistent", "true"]),
    "--check-every": st.sampled_from(["5s", "0", "infinity"]),
    "--socket-user": st.sampled_from(["daemon", "%u", "a b"]),
    "--socket-mode": st.sampled_from(["660", "0666", "888", "u+w"]),
    "--session-idle": st.sampled_from(["0", "1min", "25d", "x"]),
    "--tls-cert": st.sampled_from(["/nonexistent", "/dev/null"]),
}
FLAGS = (
    "--tls",
    "--enable",
    "--no-provision",
    "--dry-run",
    "--json",
    "--quiet",
    "--debug",
    "--user",
    "--no-such-option",
    "--",
)
WORDS = st.one_of(
    st.sampled_from(sorted(OPTIONS)).flatmap(
        lambda option: st.one_of(OPTIONS[option], TEXT).map(lambda value: [f"{option}={value}"])
    ),
    st.sampled_from([[flag] for flag in FLAGS]),
    st.just(["--version=18"]),
    TEXT.filter(lambda text: not text.startswith("--r")).map(lambda text: [text]),
)
VERBS = st.one_of(
    st.just("new"), st.just("new"), st.sampled_from(["ls", "status", "rm", "", "no-such-verb"])
)
REFUSAL = re.compile(r"sockwake: error: [^\n]+\n(\(hint: [^\n]+\)\n)?")


@contextlib.contextmanager
def neighbourhood() -> Iterator[Tree]:
    """A tree with a program, and an instance that everything is to leave alone."""
    with tempfile.TemporaryDirectory() as base:
        tree = Tree(Path(base) / "tree")
        (tree.path / "bin").mkdir()
        (tree.path / "bin/true").write_text("#!/bin/sh\n")
        (tree.path / "bin/true").chmod(0o755)
        shutil.copytree(MADE, tree.path / "etc/sockwake")
        yield tree


def _made() -> str:
    """An instance, once for all."""
    base = tempfile.mkdtemp()
    tree = Tree(Path(base) / "tree")
    tree.new("good", "--port", "25999")
    shutil.move(tree.path / "etc/sockwake", f"{base}/made")
    return f"{base}/made"


MADE = _made()


def call(*arguments: str) -> tuple[int, str, str]:
    """(status, stdout, stderr) of the command line, in a locale that has no letters but ASCII's."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="ascii") for _ in range(2))
    umask = os.umask(0o022)
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.dict(os.environ),
    ):
        try:
            status = cli.main(arguments)
        finally:
            os.umask(umask)
            out.flush()
            err.flush()
    return status, out.buffer.getvalue().decode(), err.buffer.getvalue().decode()


@cases(300)
@given(VERBS, NAMES, st.lists(WORDS, max_size=5))
@example("new", "pg1", [["--version=18"], ["--db-user=名"], ["--dry-run"]])
@example("new", "pg1", [["--kind=native"], ["--exec=/bin/true"], ["--enable"]])
@example(
    "new", "pg1", [["--kind=command"], ["--exec=/bin/true %i $HOME {port} ;"], ["--run-as=daemon"]]
)
@example("rm", "..", [])
def test_any_arguments_end_with_a_status_and_at_most_one_sentence(
    verb: str, name: str, words: list[list[str]]
) -> None:
    with neighbourhood() as tree:
        before = tree.snapshot()
        arguments = [verb, f"--root={tree}", name, *(word for group in words for word in group)]
        status, _out, err = call(*arguments)
        changed = tree.added_to(before)
        assert status in range(6), err
        assert "Traceback" not in err or "--debug" in arguments
        if status:
            assert "--debug" in arguments or REFUSAL.fullmatch(err), err
            assert changed == []
        elif not (verb == "rm" and name == "good"):
            assert not [path for path in changed if path.startswith(NEIGHBOUR)]
            require_that_it_opens(tree, changed)


def require_that_it_opens(tree: Tree, changed: list[str]) -> None:
    """The instance that was made can be read, and the generator gives systemd its address."""
    made = [path for path in changed if path.endswith("/instance.env")]
    for path in made:
        read = settings.load(tree.instance(path.split("/")[-2]))
        with tempfile.TemporaryDirectory() as base:
            ran, files = generate(
                Path(base) / "g", {read_name(path): (tree.path / path).read_bytes()}
            )
        assert ran.stderr == "" and f"ListenStream={read.listen[0]}".encode() in files[
            f"pg-proxy@{read_name(path).decode()}.socket.d/listen.conf"
        ].replace(b"[", b"")


def read_name(path: str) -> bytes:
    return path.split("/")[-2].encode()


def test_the_neighbour_is_an_instance() -> None:
    with neighbourhood() as tree:
        assert '"name": "good"' in tree.sockwake("ls", "--json").stdout
