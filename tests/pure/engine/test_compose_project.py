"""What compose itself makes of the projects that people have, and what of them cannot sleep."""

import json
import shutil
from pathlib import Path

import pytest

from daemon import Daemon
from sockwake.admin.make import project as admin
from sockwake.engine import compose_limits, compose_project
from sockwake.engine.api import Engine
from sockwake.engine.compose_project import ComposeProject
from sockwake.errors import SockwakeError

pytestmark = pytest.mark.skipif(
    not shutil.which("docker-compose"), reason="docker-compose is not installed"
)
WEB = "services: {web: {image: nginx, ports: ['8080:80']%s}}\n"


def lay_out(folder: Path, text: str, **beside: str) -> Path:
    """A project's directory; beside: other files, "_" for "." in their names."""
    directory = folder / "shop"
    directory.mkdir()
    (directory / "compose.yaml").write_text(text)
    for name, content in beside.items():
        (directory / name.replace("_", ".")).write_text(content)
    return directory


def read(directory: Path, *profiles: str) -> ComposeProject:
    return admin.read(str(directory), profiles)


def refused(directory: Path, *profiles: str) -> str:
    with pytest.raises(SockwakeError) as caught:
        read(directory, *profiles)
    return told(caught.value)


def told(error: SockwakeError) -> str:
    return f"{error.whole} (hint: {error.hint})"


def test_every_published_tcp_port_is_found_at_its_address(tmp_path: Path) -> None:
    ports = "['127.0.0.1:8080:80', '[::1]:8443:443', '9000:90', '3000-3001:3000-3001', '53:53/udp']"
    project = read(lay_out(tmp_path, f"services: {{web: {{image: nginx, ports: {ports}}}}}"))
    both = ("0.0.0.0", "::")
    assert [(each.addresses, each.port, each.service, each.target) for each in project.ports] == [
        (("127.0.0.1",), 8080, "web", 80),
        (("::1",), 8443, "web", 443),
        (both, 9000, "web", 90),
        (both, 3000, "web", 3000),
        (both, 3001, "web", 3001),
    ]
    assert compose_limits.warnings(project) == [
        "UDP port 53 of service 'web' is closed: a UDP packet cannot wake anything"
    ]


def test_it_is_what_compose_makes_of_files_beside_it(tmp_path: Path) -> None:
    directory = lay_out(
        tmp_path,
        WEB % ", env_file: app_env, environment: {B: '${B}', C: 'a$$b'}",
        _env="B=dotenv\n",
        app_env="A=file\n",
        compose_override_yaml="services: {web: {image: 'nginx:override'}}",
    )
    (directory / "app.env").rename(directory / "app_env")
    project = read(directory)
    assert project.services["web"].image == "nginx:override"
    environment = project.definitions["web"]["environment"]
    assert (environment["A"], environment["B"]) == ("file", "dotenv")
    made_of = json.loads(project.definition({"": {"x": "y"}, "web": {}}))
    assert made_of["services"]["web"]["environment"]["C"] == "a$$b", "compose reads it once more"


def test_what_containers_are_made_of_publishes_and_restarts_nothing(tmp_path: Path) -> None:
    more = ", restart: always, labels: {mine: '1'}, deploy: {restart_policy: {condition: any}}"
    directory = lay_out(tmp_path, WEB % more + "volumes: {v: {}, e: {external: true}}\n")
    text = read(directory).definition({"": {"ours": "1"}, "web": {"made": "2"}})
    made = json.loads(text)
    web = made["services"]["web"]
    assert "ports" not in web and web["restart"] == "no"
    assert "restart_policy" not in web["deploy"]
    assert web["labels"] == {"mine": "1", "ours": "1", "made": "2"}
    assert made["networks"]["default"]["labels"] == {"ours": "1"}


def test_a_variable_of_the_calling_shell_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No wake has it."""
    monkeypatch.setenv("TAG", "of-the-shell")
    monkeypatch.setenv("COMPOSE_PROFILES", "full")
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", "elsewhere")
    directory = lay_out(tmp_path, WEB % ", environment: {A: '${TAG}'}")
    project = read(directory)
    assert (project.name, project.unset) == ("shop", ["TAG"])
    assert compose_limits.warnings(project) == [
        f"variable TAG is not set in {directory}/.env: it is taken as empty"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (WEB.replace("nginx", "'nginx:${TAG}'") % "", "variable TAG is not set, and 'image' in "),
        (
            WEB % ", environment: {DB_PASSWORD: '$TAG'}",
            "variable TAG is not set, and 'DB_PASSWORD'",
        ),
        (WEB % ", environment: ['A=${TAG:?say which}']", "say which"),
    ],
)
def test_a_secret_or_an_image_of_a_variable_that_is_not_set_is_refused(
    tmp_path: Path, text: str, said: str
) -> None:
    assert said in refused(lay_out(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("services: {}", "has no service"),
        ("services: {web: {image: nginx, profiles: [full]}}", "(hint: --profile full)"),
        ("services: {web: {image: nginx}}", "publishes no TCP port, so no client can wake it"),
        (
            "services: {dns: {image: dns, ports: ['53:53/udp']}}",
            "a UDP packet cannot wake anything",
        ),
        (WEB % ", scale: 2", "service 'web' of the project in %s has 2 replicas"),
        (WEB % ", deploy: {replicas: 3}", "has 3 replicas (hint: one port wakes one: set it to 1)"),
        (
            "services: {web: {image: n, ports: ['80']}}",
            "publishes port 80 at no one port of the host",
        ),
        (
            "services: {web: {image: n, ports: ['8000-8005:80']}}",
            "publishes port 80 at no one port of the host (hint: give it one, as in '8080:80')",
        ),
        (WEB % ", network_mode: none", "has network_mode: none, with which there is none"),
        (WEB % ", network_mode: 'container:x'", "in the network of another container"),
        ("services: [", "compose cannot read the project in %s: "),
        (WEB % ", extends: {file: gone.yaml, service: x}", "%s/gone.yaml"),
        (WEB % ", env_file: gone.env", "%s/gone.env"),
        (WEB % ", depends_on: [gone]", 'service "web" depends on undefined service "gone"'),
    ],
)
def test_what_cannot_sleep_is_said_in_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    directory = lay_out(tmp_path, text)
    error = refused(directory)
    assert said.replace("%s", str(directory)) in error and "\n" not in error, error


def test_a_service_without_replicas_is_no_part_of_it(tmp_path: Path) -> None:
    text = (WEB % "").rstrip("}\n") + "}, off: {image: x, deploy: {replicas: 0}}}"
    assert list(read(lay_out(tmp_path, text)).services) == ["web"]


def test_what_is_built_has_the_name_that_compose_gives_it_and_has_to_be_here(
    tmp_path: Path, daemon: Daemon
) -> None:
    text = "services: {web: {build: ., ports: ['80:80']}}"
    project = read(lay_out(tmp_path, text, Dockerfile="FROM nginx\n"))
    engine = Engine(str(daemon.server_address))
    daemon.answers["GET /images/shop-web/json"] = 404, b"{}"
    with pytest.raises(SockwakeError) as caught:
        compose_limits.require_present(engine, project)
    assert told(caught.value) == (
        "service 'web' is to be built, and image shop-web is not on this machine "
        f"(hint: cd {tmp_path}/shop && docker compose build: a wake never builds)"
    )
    daemon.answers["GET /images/shop-web/json"] = 200, b"{}"
    compose_limits.require_present(engine, project)


@pytest.mark.parametrize("what", ["network", "volume"])
def test_something_external_has_to_be_here(tmp_path: Path, daemon: Daemon, what: str) -> None:
    project = read(lay_out(tmp_path, WEB % f", {what}s: {use_of(what)}" + external(what)))
    daemon.answers[f"GET /{what}s/theirs"] = 404, b"{}"
    with pytest.raises(SockwakeError, match=f"{what} theirs of the project in .* is external"):
        compose_limits.require_present(Engine(str(daemon.server_address)), project)
    daemon.answers[f"GET /{what}s/theirs"] = 200, b"{}"
    compose_limits.require_present(Engine(str(daemon.server_address)), project)


def use_of(what: str) -> str:
    return "[it]" if what == "network" else "['it:/data']"


def external(what: str) -> str:
    return f"{what}s: {{it: {{name: theirs, external: true}}}}\n"


_PUTS_IT_IN_EARLY = "2.26.1-4"  # Debian 13's: when it makes the container


@pytest.mark.parametrize("version", ["2.37.3", "v2.40.0", "5.0.1"])
def test_a_config_that_compose_puts_in_only_when_it_starts_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    directory = lay_out(tmp_path, WEB % ", configs: [motd]" + "configs: {motd: {content: hello}}\n")
    real = shutil.which("docker-compose")
    program = tmp_path / "docker-compose"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for said in (_PUTS_IT_IN_EARLY, version):
        program.write_text(
            f'#!/bin/sh\nif [ "$1" = version ]; then echo {said}; else exec {real} "$@"; fi\n'
        )
        program.chmod(0o755)
        if said == _PUTS_IT_IN_EARLY:
            read(directory)
    assert "config 'motd' of the project in" in refused(directory)


def test_where_it_was_is_said_when_it_is_gone(tmp_path: Path) -> None:
    with pytest.raises(SockwakeError) as caught:
        compose_project.read(f"{tmp_path}/gone")
    assert told(caught.value).startswith(f"there is no compose project at {tmp_path}/gone (hint: ")


def test_a_directory_without_a_compose_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "there is no compose file in" in refused(tmp_path / "empty")


def test_ports_are_narrowed_down_by_service_port_and_address(tmp_path: Path) -> None:
    text = "services: {a: {image: x, ports: ['80:80', '81:81']}, b: {image: x, ports: ['80:90']}}"
    project = read(lay_out(tmp_path, text.replace("'80:90'", "'127.0.0.9:82:90'")))

    def chosen(**asked: object) -> list[str]:
        options = {"service": "", "port": None, "listen": []} | asked
        return list(map(str, admin.endpoints(project, **options)))  # type: ignore[arg-type]

    assert chosen(service="b") == ["127.0.0.9:82=b:90"]
    assert chosen(port=81, listen=["::1"]) == ["[::1]:81=a:81"]
    for asked, said in (
        ({"service": "c"}, "has no service 'c'"),
        ({"port": 99}, "publishes no port 99"),
    ):
        with pytest.raises(SockwakeError, match=said):
            chosen(**asked)
