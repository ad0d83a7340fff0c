"""--allow: only clients of these addresses get through, to an instance asleep or awake."""

from __future__ import annotations

import socket

import pytest

from instances import Make
from moment import until
from program import must, run
from stranger import drop_in, wakes


@pytest.mark.parametrize("awake", [False, True], ids=["asleep", "awake"])
def test_only_allowed_addresses_get_through(instance: Make, awake: bool) -> None:
    database = instance(
        "--allow", "127.0.0.2/32", "--allow", "10.0.0.0/8", "--idle", "1min" if awake else "1s"
    )
    assert database.setting("ALLOW") == "127.0.0.2/32,10.0.0.0/8"
    if awake:
        database.connect(source="127.0.0.2").close()
    for port in (database.port, 0):
        with pytest.raises(TimeoutError):
            socket.create_connection(("127.0.0.1", database.port), 2, ("127.0.0.3", port))
    assert wakes(database) == awake
    status = run("sockwake", "status", database.name).expect(0).out
    assert "127.0.0.2/32, 10.0.0.0/8 (" in status and "(0 packets" not in status
    run("systemctl", "stop", database.proxy, database.backend)
    with database.connect(source="127.0.0.2") as client:
        assert client.value("select 1") == "1"
    until(
        "the others are counted",
        lambda: "from addresses that are not allowed" in database.journal(),
    )


@pytest.mark.fault
def test_addresses_that_are_not_filtered_after_all_are_refused(instance: Make) -> None:
    """As on a system without BPF, where systemd warns and opens the port to all."""
    database = instance("--allow", "10.0.0.0/8")
    drop_in(database, "IPAddressAllow=any\n")
    try:
        assert "127.0.0.1 is not in ALLOW and came through" in database.fatal()
        database.asleep(backend=("inactive", "failed"))
    finally:
        run("rm", "-r", f"/run/systemd/system/{database.socket}.d")
        must("systemctl", "daemon-reload")
