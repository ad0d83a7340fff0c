"""The generator: what is no instance of its is passed over."""

import os
from pathlib import Path

from env_file import GOOD
from generator import GENERATOR, GOOD_DROP_IN, generate, places
from tree import run


def test_what_is_no_readable_file_is_passed_over(tmp_path: Path) -> None:
    for name in ("directory", "empty", "pipe", "nowhere"):
        (tmp_path / "g/etc" / name).mkdir(parents=True)
    (tmp_path / "g/etc/directory/instance.env").mkdir()
    os.mkfifo(tmp_path / "g/etc/pipe/instance.env")
    (tmp_path / "g/etc/nowhere/instance.env").symlink_to("/nonexistent")
    (tmp_path / "g/etc/file").write_text("not a directory")
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "g/etc/good").mkdir()
    (tmp_path / "g/etc/good/instance.env").write_text(
        "".join(f"{key}={value}\n" for key, value in GOOD.items())
    )
    ran = run("dash", GENERATOR, *[str(out)] * 3, env=places(tmp_path / "g"))
    assert ran.status == 0
    assert {f"{path.name}/" for path in out.iterdir()} == {
        path.removesuffix(Path(path).name) for path in GOOD_DROP_IN
    }


def test_without_any_instance_it_does_nothing(tmp_path: Path) -> None:
    ran, files = generate(tmp_path / "g", {})
    assert (ran.status, ran.stdout, ran.stderr, files) == (0, "", "", {})
    ran = run("dash", GENERATOR, *["/nonexistent"] * 3, env={"SOCKWAKE_ETC": "/nonexistent"})
    assert (ran.status, ran.stdout, ran.stderr) == (0, "", "")
