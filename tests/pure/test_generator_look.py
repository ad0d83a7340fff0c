"""Where a client is looked for: beside the making of a program's sandbox, or before."""

from pathlib import Path

import pytest

from env_file import COMMAND, NATIVE, env, text_of
from generator import GENERATOR, generate, places
from tree import run

LIBEXEC = "/usr/libexec/sockwake"


@pytest.mark.parametrize("shell", ["dash", "bash"])
@pytest.mark.parametrize(
    ("text", "definition", "command"),
    [
        (
            text_of(COMMAND),
            "ExecStart=/a/b --dir %S/x 'c d' \"%%\"\n",
            "/a/b --dir %S/x 'c d' \"%%\"",
        ),
        (text_of(COMMAND), "ExecStart=/a\nReadOnlyPaths=/sys\nBindPaths=/x\n", "/a"),
        (text_of(COMMAND), "#ExecStart=/x\nExecStart=/a\n#Type=notify\n", "/a"),
        (text_of(NATIVE), "ExecStart=/usr/libexec/sockwake/native /a b\n", ""),
        (text_of(COMMAND), "ExecStart=/a\nExecStart=/b\n", None),
        (text_of(COMMAND), "ExecStart=\nExecStart=/a\n", None),
        (text_of(COMMAND), "ExecStart=-/a\n", None),
        (text_of(COMMAND), "ExecStart=/a \\\n  --more\n", None),
        (text_of(COMMAND), " ExecStart = /a\n", None),
        (text_of(COMMAND), "ExecStart=/a\nType=notify\n", None),
        (text_of(COMMAND), "ExecStart=/a\n Type = forking\n", None),
        (text_of(COMMAND), "ExecStart=/a\nExecStartPre=/b\n", None),
        (text_of(COMMAND), "ExecStart=/a\nRootDirectory=/srv\n", None),
        (text_of(COMMAND), "ExecStart=/a\nTemporaryFileSystem=/run\n", None),
        (text_of(COMMAND), "ExecStart=/a\nNoExecPaths=/\n", None),
        (text_of(NATIVE), "ExecStart=/a b\n", None),
        (text_of(NATIVE, READY="notify"), "ExecStart=/usr/libexec/sockwake/native /a\n", None),
        (env(RUNTIME="host"), "ExecStart=/server /d /a\nInaccessiblePaths=/sys\n", "/server /d /a"),
        (env(RUNTIME="host"), "ExecStart=/server /d /a\nInaccessiblePaths=/run\n", None),
    ],
)
def test_a_program_that_can_wait_in_its_sandbox_is_looked_for_beside(
    tmp_path: Path, shell: str, text: str, definition: str, command: str | None
) -> None:
    """command: what bin/when-wanted runs, "" when service.conf says so; None: looked before."""
    generate(tmp_path / "g", {b"a": text.encode(), b"b": env().encode()})
    (tmp_path / "g/etc/a/service.conf").write_text(f"[Service]\n{definition}")
    again = tmp_path / "again"
    again.mkdir()
    ran = run(shell, GENERATOR, *[str(again)] * 3, env=places(tmp_path / "g"))
    assert (ran.status, ran.stderr) == (0, "")
    units = again / "pg-postgres@a.service.d"
    assert (units / "look.conf").is_symlink() is (command is None)
    is_host = "RUNTIME=host" in text
    assert (units / "prepared.conf").is_symlink() is (is_host and command is None)
    assert (units / "wanted.conf").exists() is (command is not None)
    if command is not None:
        said = (units / "wanted.conf").read_text().splitlines()
        assert said[:2] == ["[Service]", "Environment=SOCKWAKE_VERDICT=/run/sockwake.wanted/%i"]
        runs = [line for line in said if line.startswith("ExecStart=")]
        assert runs == (
            ["ExecStart=", f"ExecStart={LIBEXEC}/when-wanted {command}"] if command else []
        )
    is_native = "KIND=native" in text
    beside = is_native and command is not None
    assert (units / "wanted-beside.conf").is_symlink() is beside
    assert (again / "pg-wanted@a.service.d/look.conf").is_symlink() is beside


def test_a_cluster_that_was_never_made_is_made_before_its_sandbox(tmp_path: Path) -> None:
    generate(tmp_path / "g", {b"a": env(RUNTIME="host").encode()})
    definition = tmp_path / "g/etc/a/service.conf"
    definition.write_text("[Service]\nExecStart=/usr/libexec/sockwake/server /d /a\n")
    flag = definition.with_name("uninitialised")
    for is_made in (False, True):
        again = tmp_path / f"again-{is_made}"
        again.mkdir()
        flag.unlink() if is_made else flag.touch()
        ran = run("dash", GENERATOR, *[str(again)] * 3, env=places(tmp_path / "g"))
        assert (ran.status, ran.stderr) == (0, "")
        units = again / "pg-postgres@a.service.d"
        assert (units / "look.conf").is_symlink() is not is_made
        assert (units / "prepared.conf").is_symlink() is not is_made
        assert (units / "wanted.conf").exists() is is_made
