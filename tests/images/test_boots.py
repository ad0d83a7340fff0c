"""Boots that leave a machine less to write to, or bring it more, than the image's own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import bakery
import variants
from clone import Clone

IS_SOAK = bool(os.environ.get("SOCKWAKE_SOAK"))
GIVEN = "of-the-machine"
KEEP = (
    "create table if not exists kept (n int); insert into kept values (1); select sum(n) from kept"
)
# what of the machine outlives its boot: nothing; nothing of /var, and all else is read-only;
# /var alone. The first two are systemd.volatile= of the kernel's command line, too
OUTLIVES = {"--volatile=overlay": 1, "--volatile=state": 1, "--read-only": 2}
BOOTS = OUTLIVES if IS_SOAK else ["--volatile=state", "--read-only"]


@pytest.fixture
def place(deb: Path) -> Iterator[Path]:
    """A directory for trees of hard links, beside the image."""
    with tempfile.TemporaryDirectory(dir=bakery.image("mmdebstrap", deb).parent) as made:
        yield Path(made)


@pytest.mark.parametrize("option", BOOTS)
def test_a_boot_serves_with_what_it_may_write_to(
    option: str, deb: Path, place: Path, clone: Callable[[Path], Clone]
) -> None:
    one = clone(variants.shipped(bakery.image("mmdebstrap", deb), place))
    one.boot(options=(option,))
    first, before = one.ask(KEEP), one.password()
    is_volatile = option == "--volatile=state"
    assert ("in memory: the next boot begins anew" in one.status()) == is_volatile
    one.reboot()
    assert (first, one.ask(KEEP)) == ("1", str(OUTLIVES[option]))
    assert (before == one.password()) == (OUTLIVES[option] > 1)
    assert "(0B)" not in one.status()


def test_a_credential_from_outside_and_the_whole_package_in_an_extension(
    deb: Path, place: Path, clone: Callable[[Path], Clone]
) -> None:
    """Nothing of sockwake is in /usr of the machine, and the extension cannot be written to."""
    one = clone(variants.extended(bakery.image("mmdebstrap", deb), deb, place))
    one.boot(options=(f"--set-credential=sockwake.shop.password:{GIVEN}",))
    assert "sockwake" in one.run("systemd-sysext", "status")
    assert one.ask(KEEP) == "1" and one.password() == GIVEN
    one.reboot()
    assert one.ask(KEEP) == "2" and one.password() == GIVEN
