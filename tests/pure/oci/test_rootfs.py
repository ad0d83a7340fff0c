"""Files of an image, whoever made it."""

import os
from pathlib import Path

import pytest

from sockwake.errors import SockwakeError
from sockwake.oci import architecture, rootfs


def test_a_pipe_in_an_image_holds_up_nobody(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "bin").mkdir()
    for path in ("etc/passwd", "bin/sh"):
        os.mkfifo(tmp_path / path)
    with pytest.raises(SockwakeError, match="cannot read /etc/passwd of the image: it is no plain"):
        rootfs.text(str(tmp_path), "/etc/passwd")
    assert architecture.of_tree(str(tmp_path)) == ""


def test_a_file_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert rootfs.text(str(tmp_path), "/etc/group") == ""
