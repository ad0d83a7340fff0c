"""sockwake forward where systemd does not read its files, as without room in /run."""

from pathlib import Path

import pytest

from sockwake.admin.leave import forward
from sockwake.config import forwarding as forwardings
from sockwake.config.forwarding import Forwarding
from sockwake.errors import SockwakeError
from sockwake.system import systemctl
from tree import Tree

THERE, OTHER = Forwarding(["10.0.0.1:5432"]), Forwarding(["10.0.0.2:5432"])


def no_room() -> None:
    raise SockwakeError("not enough space available on /run/systemd/")


def not_read() -> None:
    """As a daemon-reload whose generator has failed."""


@pytest.mark.parametrize("reload", [no_room, not_read])
@pytest.mark.parametrize(("before", "wanted"), [(None, THERE), (THERE, OTHER), (THERE, None)])
def test_what_systemd_does_not_read_is_undone(
    tree: Tree,
    monkeypatch: pytest.MonkeyPatch,
    before: Forwarding | None,
    wanted: Forwarding | None,
    reload: object,
) -> None:
    tree.new("pg1")
    instance = tree.instance("pg1")
    file = Path(forwardings.path(instance))
    if before:
        file.write_text(before.text)
    monkeypatch.setattr(systemctl, "reload", reload)
    monkeypatch.setattr(forwardings, "is_led", lambda _: wanted is None)
    with pytest.raises(SockwakeError, match="not enough space|has not read"):
        forward._lead(instance, wanted)
    assert (file.read_text() if file.exists() else None) == (before.text if before else None)
