"""Starts of containers that people bring: slow, hung up, stubborn, behind a temporary server."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import images
from client import Lost
from instances import MakeService
from program import must, run
from service import Service
from web import get
from webshop import container

HUNG_UP = (
    'RUN printf "server { listen 80 default_server; return 444; }\\n'
    'server { listen 80; server_name app.example; root /var/www/html; }\\n"'
    " > /etc/nginx/sites-enabled/default"
)
OK = 'print $c "HTTP/1.0 200 OK\\r\\n\\r\\nup"'
ASKED = "sysread $c, $_, 4096"
STUBBORN = 'CMD ["/bin/sh", "-c", "nginx; while :; do sleep 1; done"]'
TEMPORARY = """\
nginx -g "daemon on; error_log /dev/stderr;"
sleep 4
echo filled >/var/www/html/state
nginx -s stop
sleep 1
exec "$@"
"""


@pytest.fixture(autouse=True)
def built(nginx: str) -> Iterator[None]:
    yield
    run("docker", "rmi", "--force", "trial:1")
    run("sockwake", "images", "prune")


def refused(image: str, *options: str) -> tuple[str, float]:
    """What sockwake-new says, and how long it took."""
    began = time.monotonic()
    new = ("sockwake-new", "no", "--kind", "container", "--image", image, "--container-port", "80")
    ran = run(*new, *options, timeout=120).expect(1)
    assert not Path("/etc/sockwake/no").exists()
    return ran.err, time.monotonic() - began


@pytest.mark.soak
def test_a_server_that_hangs_up_is_asked_seldom_and_the_way_out_is_said(
    service: MakeService, tmp_path: Path
) -> None:
    image = images.build(tmp_path, "trial:1", HUNG_UP)
    said, took = refused(image, "--start-timeout", "8s")
    assert "did not answer HTTP on port 80 within 8 s: it closed the connection without" in said
    assert all(way in said for way in ("--ready tcp", "http:/PATH", "--probe-host"))
    assert took < 60
    by_name = container(service, image, "--probe-host", "app.example")
    assert by_name.setting("PROBE_HOST") == "app.example"
    with pytest.raises(Lost):  # the server hangs up on this name, awake
        get(by_name.port)
    by_name.asleep()


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        (f"{ASKED}; print $c qq(\\x15\\x03\\x01\\x00\\x02\\x02\\x46)", "it asked for TLS"),
        pytest.param(
            'print $c "220 mail\\r\\n"; ' + ASKED + "; sleep 60",
            "another protocol than HTTP",
            marks=pytest.mark.soak,
        ),
        pytest.param("", "it closed the connection without an answer", marks=pytest.mark.soak),
        pytest.param(
            "sleep 60", "it accepted a connection and said nothing", marks=pytest.mark.soak
        ),
    ],
    ids=["TLS", "speaks first", "closes", "silent"],
)
def test_what_the_probe_saw_is_said(tmp_path: Path, nginx: str, answer: str, seen: str) -> None:
    said, took = refused(images.server(tmp_path, "trial:1", answer), "--start-timeout", "3s")
    assert seen in said and "--ready tcp" in said
    assert took < 60


@pytest.mark.soak
def test_a_first_page_of_twelve_seconds_is_ready_after_twelve(
    service: MakeService, tmp_path: Path
) -> None:
    image = images.server(tmp_path, "trial:1", f"{ASKED}; sleep 12 - 11 * $n++; {OK}")
    began = time.monotonic()
    shop = container(service, image)
    assert 12 < time.monotonic() - began < 40
    began = time.monotonic()
    assert get(shop.port).text == "up"
    assert time.monotonic() - began < 16
    shop.asleep()


@pytest.mark.soak
def test_a_start_takes_as_long_as_it_is_told(service: MakeService, tmp_path: Path) -> None:
    slow = images.script(tmp_path, "trial:1", 'sleep 5\nexec "$@"\n')
    said, _ = refused(slow, "--start-timeout", "2s")
    assert "within 2 s: nothing accepted connections there" in said
    assert "--start-timeout" in said and "START_TIMEOUT=" in said
    shop = container(service, slow, "--start-timeout", "1min")
    assert shop.setting("START_TIMEOUT") == "1min"


@pytest.mark.soak
def test_a_variable_that_an_image_wants_is_named_and_given(
    service: MakeService, tmp_path: Path
) -> None:
    wants = ': "${SHOP_PASSWORD:?it must be set}"\necho $SHOP_PASSWORD >/var/www/html/said\n'
    image = images.script(tmp_path, "trial:1", wants + 'exec "$@"\n')
    said, _ = refused(image)
    assert "SHOP_PASSWORD: it must be set" in said
    assert "--env SHOP_PASSWORD=VALUE" in said and "--env-file" in said
    secret = "a \"b\" 'c' $HOME \\d #e"
    shop = container(service, image, "--env", f"SHOP_PASSWORD={secret}")
    assert get(shop.port, "/said").text == f"{secret}\n"
    assert (shop.etc / "environment").stat().st_mode & 0o777 == 0o600
    shop.asleep()
    (shop.etc / "environment").write_text("SHOP_PASSWORD=edited\n")
    assert get(shop.port, "/said").text == "edited\n"
    shop.asleep()


def test_process_1_without_a_handler_is_asleep_in_seconds(
    service: MakeService, tmp_path: Path
) -> None:
    image = images.build(tmp_path, "trial:1", "ENTRYPOINT []", STUBBORN)
    began = time.monotonic()
    shop = container(service, image)
    assert time.monotonic() - began < 30
    for _ in range(2):
        assert get(shop.port).status == 200
        shop.asleep(timeout=8)
    assert status(shop)["killed"] is None
    shop.edit("compose.yaml", "stop_grace_period: 1m", "stop_grace_period: 2s\n    init: false")
    assert get(shop.port).status == 200
    shop.asleep()
    sentence = "did not end at its stop signal and was killed after 2 s"
    assert sentence in str(status(shop)["killed"])
    assert "init: true" in must("sockwake", "status", "svc1")
    assert sentence in shop.journal(f"--unit={shop.backend}")
    shop.edit("compose.yaml", "\n    init: false", "")
    assert get(shop.port).status == 200
    shop.asleep()
    assert status(shop)["killed"] is None


@pytest.mark.soak
@pytest.mark.parametrize("text", [TEMPORARY, TEMPORARY.replace("$@", 'nginx" -g "daemon off;')])
def test_a_temporary_server_is_not_taken_for_the_real_one(
    service: MakeService, tmp_path: Path, text: str
) -> None:
    image = images.script(tmp_path, "trial:1", text)
    shop = container(service, image)
    assert get(shop.port, "/state").text == "filled\n"
    shop.asleep()


def test_its_healthcheck_has_to_pass(service: MakeService, tmp_path: Path) -> None:
    late = 'rm -f /tmp/well\n(sleep 3; touch /tmp/well) &\nexec "$@"\n'
    image = images.script(tmp_path, "trial:1", late, "HEALTHCHECK CMD test -e /tmp/well")
    shop = container(service, image)
    began = time.monotonic()
    assert get(shop.port).status == 200
    assert time.monotonic() - began > 3
    shop.asleep()
    never = images.script(tmp_path, "trial:1", 'exec "$@"\n', "HEALTHCHECK CMD false")
    said, _ = refused(never, "--start-timeout", "3s")
    assert "its healthcheck did not pass within 3 s" in said and "disable: true" in said


def status(shop: Service) -> dict[str, object]:
    found: dict[str, object] = json.loads(must("sockwake", "status", shop.name, "--json"))
    return found
