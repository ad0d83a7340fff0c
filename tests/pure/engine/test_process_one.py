"""Where an init is laid over as process 1, and where not."""

from __future__ import annotations

import json

import pytest

from sockwake.engine import process_one
from sockwake.engine.api import DOCKER, PODMAN, Engine
from sockwake.system import process


@pytest.mark.parametrize(
    ("definition", "image", "lays"),
    [
        ({}, {"Cmd": ["/bin/sh", "-c", "nginx"]}, True),
        ({}, {"Entrypoint": ["/entrypoint.sh"], "Cmd": ["/init"]}, True),
        ({"command": None, "entrypoint": None}, {"Cmd": None, "Entrypoint": None}, True),
        ({}, {"Entrypoint": ["/init"]}, False),
        ({}, {"Entrypoint": ["/usr/bin/tini", "--", "/run.sh"]}, False),
        ({}, {"Cmd": ["/lib/systemd/systemd"]}, False),
        ({"entrypoint": ["/sbin/init"]}, {"Entrypoint": ["/run.sh"]}, False),
        ({"command": ["dumb-init", "x"]}, {"Cmd": ["x"]}, False),
        ({}, {"Entrypoint": ["/run.sh"], "Env": ["S6_KEEP_ENV=1"]}, False),
        ({"init": False}, {"Cmd": ["x"]}, False),
        ({"init": True}, {"Cmd": ["x"]}, False),
        ({"pid": "host"}, {"Cmd": ["x"]}, False),
    ],
)
def test_it_is_laid_over_where_process_1_does_not_matter(
    definition: dict[str, object],
    image: dict[str, object],
    lays: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "exists", lambda _: True)
    said = json.dumps({"Config": image}).encode()
    assert process_one.may_be_init(Engine(DOCKER), definition, said) is lays


@pytest.mark.parametrize("said", [b"", b"[]", b"{}", b'{"Config": null}', b"{", b'{"Config": 7}'])
def test_any_answer_about_an_image_is_taken(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "exists", lambda _: True)
    assert process_one.may_be_init(Engine(DOCKER), {}, said) in (True, False)


@pytest.mark.parametrize("path", [DOCKER, PODMAN])
def test_an_engine_without_an_init_is_asked_for_none(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "exists", lambda _: False)
    monkeypatch.setattr(process_one, "_OF_PODMAN", ("/nowhere",))
    assert not process_one.may_be_init(Engine(path), {}, b'{"Config": {}}')
