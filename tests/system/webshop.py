"""A container with a web server, as an instance under test."""

from __future__ import annotations

from instances import MakeService
from program import must
from refusal import ASLEEP_OR_FAILED
from service import Service
from web import get

NGINX = "nginx:local"  # a web server on port 80
# a server of its own on port 8080, that says 503 for its first seconds
SLOW_TO_GET_UP = """\
    command:
      - sh
      - -c
      - |
        rm -f /tmp/up
        cat >/etc/nginx/conf.d/shop.conf <<EOF
        server {{
          listen 127.0.0.1:8080;
          location / {{ if (!-f /tmp/up) {{ return 503; }} return 200 "up"; }}
        }}
        EOF
        (sleep {late}; touch /tmp/up) &
        exec nginx -g 'daemon off;'
"""


def container(service: MakeService, image: str, *options: str, **more: object) -> Service:
    return service("container", "--image", image, "--container-port", "80", *options, **more)


def slow_to_get_up(service: MakeService, *options: str, late: int = 1) -> Service:
    """Its port is 25480. late: seconds until it answers with anything but 503."""
    image = ("--image", NGINX, "--container-port", "8080", "--port", "25480")
    shop = service("container", *image, *options, "--no-provision", enable=False)
    file = shop.etc / "compose.yaml"
    file.write_text(file.read_text().rstrip() + "\n" + SLOW_TO_GET_UP.format(late=late))
    must("systemctl", "enable", "--now", shop.socket)
    return shop


def unserved(shop: Service, reason: str, words: str = "") -> None:
    """Assert that client and administrator are told why, and that nothing is left running.

    words: what a program or the server said about it, which is for the administrator alone.
    """
    answer = get(shop.port)
    assert (answer.status, answer.headers.get("retry-after")) == (503, "5"), answer
    assert (
        answer.text.startswith(f'sockwake: instance "{shop}" cannot start: ')
        and reason in answer.text
    ), answer
    assert not words or words not in answer.text, (
        "a client that has not logged in reads what may hold a secret"
    )
    shop.asleep(backend=ASLEEP_OR_FAILED)
    shown = (
        str(shop.ls()["error"]),
        must("sockwake", "status", shop.name),
        shop.journal(f"--unit={shop.backend}"),
    )
    assert [text for text in shown if reason not in text or words not in text] == []
    assert must("docker", "ps", "--quiet") == ""


def served(shop: Service) -> None:
    """Assert that a client is served, and that the instance sleeps without an error after it."""
    answer = get(shop.port)
    assert answer.status == 200, answer
    shop.asleep()
    assert "error" not in shop.ls()


def opened_since(before: set[str]) -> set[str]:
    return {line.split()[3] for line in must("ss", "-Hltn").splitlines()} - before
