"""A container that cannot start says why in HTTP and heals by itself."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from instances import MakeService
from moment import until
from program import must, run
from soak import only_in_soak
from squatter import squatting
from web import get
from webshop import container, served, slow_to_get_up, unserved

SECRET = "cannot reach postgres://app:s3cret@db.internal/app"


@pytest.fixture
def borrowed(nginx: str) -> Iterator[str]:
    """Another name of the image, which can be removed."""
    must("docker", "tag", nginx, "borrowed:1")
    yield "borrowed:1"
    run("docker", "rmi", "--force", "borrowed:1")


@pytest.mark.fault
@pytest.mark.engine
def test_without_its_image(service: MakeService, nginx: str, borrowed: str) -> None:
    shop = container(service, borrowed)
    must("docker", "rm", shop.container)
    must("docker", "rmi", borrowed)
    unserved(shop, f"image {borrowed} is not on this machine")
    must("docker", "tag", nginx, borrowed)
    served(shop)


@pytest.mark.fault
@pytest.mark.parametrize(
    ("script", "reason", "words"),
    [
        (
            "trap exit QUIT; sleep 1000 & wait",
            "its server did not answer HTTP on port 80 within 3 s",
            "",
        ),
        (f"echo {SECRET} >&2; exit 7", "its container ended with status 7", SECRET),
    ],
    ids=["never answers", "ends at once"],
)
def test_server_that_does_not_serve(
    service: MakeService, nginx: str, script: str, reason: str, words: str
) -> None:
    command = f'    command: ["sh", "-c", "{script}"]\n'
    shop = container(service, nginx)
    shop.edit("instance.env", "IDLE=1s\n", "IDLE=1s\nSTART_TIMEOUT=3s\n")
    shop.edit("compose.yaml", "    image: ${IMAGE}\n", "    image: ${IMAGE}\n" + command)
    unserved(shop, reason, words)
    sandbox = (
        *"systemd-run --pipe --wait --quiet --property=DynamicUser=yes".split(),
        "--property=TemporaryFileSystem=/run:ro",
        f"--property=BindReadOnlyPaths={shop.run}",
    )
    assert reason in run(*sandbox, "cat", f"{shop.run}/failure").out
    assert SECRET not in run(*sandbox, "grep", "-r", "-s", "", str(shop.run)).out, (
        "the proxy can read it"
    )
    shop.edit("compose.yaml", command, "")
    shop.edit("instance.env", "START_TIMEOUT=3s\n", "")
    served(shop)


@pytest.mark.fault
def test_container_killed_under_a_client(service: MakeService, nginx: str) -> None:
    shop = container(service, nginx, idle="10min")
    assert get(shop.port).status == 200
    proxy = shop.main_pid(shop.proxy)
    os.kill(shop.server_pid(), signal.SIGKILL)
    until("its proxy has gone", lambda: shop.main_pid(shop.proxy) != proxy)
    assert get(shop.port).status == 200
    shop.set("IDLE", "1s")
    must("systemctl", "stop", shop.backend)  # the new IDLE counts from the next wake on
    served(shop)


@pytest.mark.parametrize("network", ["bridge", *only_in_soak("none")])
def test_no_request_reaches_another_listener_while_it_sleeps(
    service: MakeService, nginx: str, network: str
) -> None:
    shop = slow_to_get_up(service, "--network", network)
    with squatting() as catch:
        for _ in range(3):
            assert get(shop.port).text == "up"
            shop.asleep()
    assert catch.ports > 10000
    assert catch.said == []


@pytest.mark.fault
def test_on_the_hosts_network_another_program_on_its_port_is_noticed(
    service: MakeService, nginx: str
) -> None:
    shop = slow_to_get_up(service, "--network", "host")
    with squatting(range(8080, 8081)) as catch:
        assert catch.ports == 1
        unserved(shop, "port 8080 is in use by another program (process ")
    assert [line for line in catch.said if "User-Agent: sockwake" not in line] == [], (
        "more than the proof got to the stranger"
    )
    assert catch.said, "the stranger was not even asked"
    assert get(shop.port).text == "up"
    shop.asleep()
