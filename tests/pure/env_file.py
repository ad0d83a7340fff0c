"""A valid instance.env of each kind, for tests to change."""

import pytest

from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings
from sockwake.errors import FAILED, SockwakeError

FILE = "/etc/sockwake/pg1/instance.env"

GOOD = {
    "KIND": "postgres",
    "LISTEN": "127.0.0.1",
    "PORT": "25432",
    "IDLE": "3min",
    "VERSION": "18",
    "IMAGE": "postgres:18",
    "DB_USER": "postgres",
    "DB_NAME": "postgres",
}
CONTAINER = {
    "KIND": "container",
    "LISTEN": "127.0.0.1",
    "PORT": "25440",
    "IDLE": "3min",
    "BACKEND_PORT": "80",
    "IMAGE": "nginx",
}
COMMAND = {
    "KIND": "command",
    "LISTEN": "127.0.0.1",
    "PORT": "25440",
    "IDLE": "3min",
    "DATA": "/var/lib/sockwake/pg1",
}
NATIVE = COMMAND | {"KIND": "native"}
PROJECT = {
    "KIND": "project",
    "PROJECT": "/srv/shop",
    "PORTS": "127.0.0.1:8080=web:80,[::1]:8080=web:80,127.0.0.1:2222=git:22",
    "IDLE": "3min",
}


def env(**changed: str) -> str:
    """instance.env of a database, with the keys that a test changes."""
    return text_of(GOOD, **changed)


def text_of(keys: dict[str, str], **changed: str) -> str:
    return "".join(f"{key}={value}\n" for key, value in (keys | changed).items())


def settings(text: str, root: str = "") -> Settings:
    return Settings(text, Instance(Name("pg1"), root))


def refused(text: str) -> str:
    """The error of an instance.env that has to be refused."""
    with pytest.raises(SockwakeError) as caught:
        settings(text)
    assert caught.value.status == FAILED, "a bad file is no bad usage"
    return caught.value.whole
