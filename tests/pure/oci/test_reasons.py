"""Which services need an engine, and what is said about it."""

from __future__ import annotations

import pytest
from services import IMAGE, POSTGRES, RICH, service

from sockwake.oci import reasons
from sockwake.oci.spec import unmounted, why_engine


def test_a_postgres_as_it_is_made_needs_none() -> None:
    assert why_engine(service(POSTGRES), IMAGE, has_cluster=True) == ""


def test_whatever_is_translated_needs_none() -> None:
    assert why_engine(service(RICH)) == ""


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("network_mode", None, "its network is a bridge (network_mode: none or host needs"),
        ("network_mode", "bridge", "its network is a bridge"),
        ("network_mode", "service:db", "its network is that of the service db"),
        ("network_mode", "container:x", "its network is that of the container x"),
        ("networks", {"default": None}, "it says networks, which only an engine understands"),
        ("gpus", "all", "it says gpus, which only an engine understands"),
        ("privileged", True, "it is privileged"),
        ("devices", [{"source": "/dev/fuse", "target": "/dev/fuse"}], "the device /dev/fuse"),
        ("device_cgroup_rules", ["c 1:3 mr"], "it may use devices (c 1:3 mr)"),
        ("configs", [{"source": "cc", "target": "/cc"}], "it uses the config cc"),
        ("secrets", [{"source": "ss"}], "it uses the secret ss"),
        ("pid", "host", "its processes are not its own (pid: host)"),
        ("ipc", "host", "its shared memory is not its own (ipc: host)"),
        ("uts", "host", "its name is that of the host"),
        ("cgroup", "host", "it uses the cgroup of the host"),
        ("runtime", "runc", "it says runtime, which only an engine understands"),
        ("cgroup_parent", "x", "it says cgroup_parent"),
        ("security_opt", ["seccomp=unconfined"], "it has security_opt seccomp=unconfined"),
        ("security_opt", ["apparmor:x"], "it has security_opt apparmor:x"),
        ("cap_add", ["SYS_NEW"], "it asks for the unknown capability SYS_NEW"),
        ("sysctls", {"vm.swappiness": "1"}, "it sets vm.swappiness, which is the host's"),
        ("extra_hosts", ["b=host-gateway"], "the address of the engine's gateway"),
        ("logging", {"driver": "fluentd"}, "its output goes to fluentd, by the engine"),
        ("scale", 2, "it asks for 2 replicas"),
        ("deploy", {"replicas": 3}, "it asks for 3 replicas"),
        ("deploy", {"resources": {"reservations": {"devices": [{}]}}}, "it uses a device"),
        ("stdin_open", True, "it says stdin_open"),
        ("tmpfs", ["/t:size=1,tmpcopyup"], "its tmpfs at /t has the option tmpcopyup"),
        ("tmpfs", ["/proc/x"], "it mounts something at /proc/x"),
        ("volumes_from", ["x"], "it uses the volumes of x"),
        ("links", ["db"], "it says links"),
    ],
)
def test_a_key_is_a_reason(key: str, value: object, reason: str) -> None:
    assert reason in why_engine(service(RICH, **{key: value}))


@pytest.mark.parametrize(
    ("volume", "reason"),
    [
        ({"type": "volume", "source": "n", "target": "/n"}, "it uses the named volume n"),
        ({"type": "volume", "target": "/n", "volume": {}}, "it uses a volume at /n"),
        ({"type": "npipe", "target": "/n"}, "it mounts a npipe at /n"),
        ({"type": "bind", "source": "/var/run/docker.sock", "target": "/s"}, "engine's socket"),
        ({"type": "bind", "source": "/a", "target": "/sys/x"}, "it mounts something at /sys/x"),
        ({"type": "bind", "source": "/a", "target": "/x/../dev/y"}, "something at /dev/y"),
        (
            {"type": "bind", "source": "/a", "target": "/a", "bind": {"recursive": "disabled"}},
            "it says recursive of what is mounted at /a",
        ),
    ],
)
def test_a_mount_is_a_reason(volume: dict[str, object], reason: str) -> None:
    assert reason in why_engine(service(RICH, volumes=[volume]))


@pytest.mark.parametrize("key", ["privileged", "devices", "networks", "secrets", "links"])
@pytest.mark.parametrize("nothing", [False, [], {}, None])
def test_what_is_not_asked_for_is_none(key: str, nothing: object) -> None:
    assert why_engine({**service(RICH), key: nothing}) == ""


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"entrypoint": ["/x"]}, "its entrypoint is not the image's"),
        ({"command": ["sh", "-c", "postgres"]}, "its command is sh, and not postgres"),
        ({"init": True}, "it asks for an init (init: true)"),
    ],
)
def test_a_cluster_s_server_must_be_the_only_process(
    keys: dict[str, object], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reasons, "init_program", lambda: "/usr/bin/tini-static")
    assert reason in why_engine(service(POSTGRES, **keys), IMAGE, has_cluster=True)


@pytest.mark.parametrize(
    ("key", "value"),
    [("extra_hosts", ["a=1.2.3.4"]), ("dns", ["1.1.1.1"]), ("sysctls", {"net.core.x": "1"})],
)
def test_what_is_the_host_s_stays_so_on_its_network(key: str, value: object) -> None:
    free = dict.fromkeys(("extra_hosts", "dns", "dns_opt", "dns_search", "sysctls"))
    assert why_engine(service(RICH, **{**free, "network_mode": "host"})) == ""
    assert "the host's network" in why_engine(
        service(RICH, **{**free, "network_mode": "host", key: value})
    )


def test_a_volume_of_the_image_needs_a_mount_only_of_a_cluster() -> None:
    image = {**IMAGE, "Volumes": {"/data/": {}, "/var/lib/postgresql": {}}}
    assert why_engine(service(POSTGRES), image, has_cluster=True) == (
        "its image keeps data in /data/, where nothing is mounted"
    )
    assert why_engine(service(RICH), image) == ""
    assert unmounted(service(RICH, tmpfs=["/data:size=1m"]), image) == ["/var/lib/postgresql"]


def test_a_root_of_its_own_needs_no_engine_and_shows_the_host_no_mount() -> None:
    assert why_engine(service(RICH, read_only=False)) == ""
    volume = {"type": "bind", "source": "/a", "target": "/a", "bind": {"propagation": "rshared"}}
    assert "what it mounts in /a is to be seen on the host" in why_engine(
        service(RICH, volumes=[volume])
    )


def test_an_init_needs_one_on_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reasons, "init_program", lambda: "")
    assert "the package tini is not installed" in why_engine(service(RICH, init=True))
    monkeypatch.setattr(reasons, "init_program", lambda: "/usr/bin/tini-static")
    assert why_engine(service(RICH, init=True)) == ""
