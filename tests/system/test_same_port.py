"""Two instances with one port at different addresses, which an administrator can write."""

from __future__ import annotations

import socket

from instances import MakeService
from moment import until
from program import must


def test_each_has_its_own_clients(service: MakeService, program: str) -> None:
    one = service("native", "--exec", program)
    two = service("native", "--exec", program, name="svc2", enable=False)
    two.set("LISTEN", "127.0.0.2")
    two.set("PORT", str(one.port))
    must("systemctl", "daemon-reload")
    two.open()
    with socket.create_connection(("127.0.0.1", one.port)):
        until("the first is awake", one.is_awake)
        with socket.create_connection(("127.0.0.2", one.port)):
            until("the second is awake", two.is_awake)
            assert (one.ls()["clients"], two.ls()["clients"]) == (1, 1)
        two.asleep()
        assert one.is_awake()
        assert (one.ls()["clients"], two.ls()["clients"]) == (1, 0)
    one.asleep()
