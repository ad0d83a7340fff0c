"""Archives of images that are damaged: what is read of them before skopeo has a look."""

import bz2
import gzip
import io
import lzma
import os
import random
import signal
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from sockwake.errors import SockwakeError
from sockwake.oci import archive
from tree import SOURCE, run


def archived(*names: str) -> bytes:
    """A tar file of files whose compression takes some room, and can be damaged."""
    out, some = io.BytesIO(), random.Random(1)
    with tarfile.open(fileobj=out, mode="w") as into:
        for name in names:
            data = bytes(some.choice(b"[]{}, 0123456789") for _ in range(200_000))
            info = tarfile.TarInfo(name)
            info.size = len(data)
            into.addfile(info, io.BytesIO(data))
    return out.getvalue()


@pytest.mark.parametrize("names", [("layer", "manifest.json"), ("manifest.json",)])
@pytest.mark.parametrize("compress", [lzma.compress, gzip.compress, bz2.compress])
def test_one_that_is_damaged_in_the_middle_is_refused_in_a_sentence(
    tmp_path: Path, compress: Callable[[bytes], bytes], names: tuple[str, ...]
) -> None:
    data = bytearray(compress(archived(*names)))
    for at in range(len(data) // 3, len(data), 1000):
        data[at : at + 64] = os.urandom(64)
    path = tmp_path / "image.tar"
    path.write_bytes(data)
    with pytest.raises(SockwakeError, match=str(path)), archive.entries(str(path)):
        pass


def test_what_a_killed_save_has_left_the_next_deletes_and_no_other_s(tmp_path: Path) -> None:
    """Of twice the size of an image; SIGKILL leaves no time to delete it."""
    killed = (
        f"import os, sys; sys.path.insert(0, {str(SOURCE)!r})\n"
        "from sockwake.oci import archive\n"
        f"with archive.workplace({str(tmp_path)!r}) as work:\n"
        "    open(f'{work}/layer', 'w').close(); os.kill(os.getpid(), 9)\n"
    )
    assert run(sys.executable, "-ISB", "-c", killed).status == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert (left / "layer").exists()
    mine = tmp_path / f"{left.name}.txt"
    mine.touch()
    (tmp_path / ".sockwake-save-link").symlink_to(tmp_path.parent)
    with archive.workplace(str(tmp_path)) as first, archive.workplace(str(tmp_path)) as second:
        assert not left.exists() and Path(first).is_dir() and Path(second).is_dir()
    assert sorted(tmp_path.iterdir()) == sorted([mine, tmp_path / ".sockwake-save-link"])
    assert tmp_path.parent.is_dir()
