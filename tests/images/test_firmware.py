"""A virtual machine of an image takes its password from what a hypervisor gives it (SMBIOS)."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import bakery
from clone import BENCH, CLIENT, MACHINE, PORT

pytestmark = pytest.mark.skipif(
    not os.environ.get("SOCKWAKE_SOAK"), reason="minutes, as no processor helps the machine"
)

GIVEN = "of-the-firmware"
CREDENTIAL = f"type=11,value=io.systemd.credential:sockwake.shop.password={GIVEN}"
COMMAND = f"""\
sockwake wake shop >/dev/null
python3 /client.py {PORT} 'select 40 + 2'
cat /etc/sockwake/shop/password
"""


def test_a_password_of_the_firmware(deb: Path, tmp_path: Path) -> None:
    shutil.copytree(BENCH, tmp_path / "bench")
    (tmp_path / "client.py").write_text(CLIENT)
    binds = {"/image": bakery.image("mmdebstrap", deb), "/more": tmp_path}
    view = [word for at, path in binds.items() for word in ("--bind", f"{path}:{at}")]
    boot = ["boot-image", COMMAND, "-smbios", CREDENTIAL]
    done = subprocess.run(
        [MACHINE, "chroot", *view, "vm", "--", *boot],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.stdout.split() == ["42", GIVEN], f"{done.stdout}{done.stderr[-3000:]}"
