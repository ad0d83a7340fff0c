"""The runtime configuration that is made of a service."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from services import IMAGE, POSTGRES, RICH, rootfs, service

from sockwake.errors import SockwakeError
from sockwake.oci import apparmor, seccomp, spec


@pytest.fixture(autouse=True)
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engines' profile, in short."""
    path = tmp_path / "seccomp.json"
    path.write_text(json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "archMap": [], "syscalls": []}))
    monkeypatch.setattr(seccomp.profile, "__defaults__", (str(path),))
    monkeypatch.setattr(apparmor.profile, "__defaults__", (str(tmp_path / "none"),))


@pytest.fixture
def root(tmp_path: Path) -> str:
    return rootfs(tmp_path / "rootfs")


def mounted(made: dict[str, Any], place: str) -> dict[str, Any]:
    (found,) = [each for each in made["mounts"] if each["destination"] == place]
    return dict(found)


def everyday(root: str, **keys: object) -> dict[str, Any]:
    return spec.everyday(service(POSTGRES, **keys), IMAGE, root, name="pg1", owner=(999, 998))


def test_a_server_runs_as_its_own_user_with_no_capability(root: str) -> None:
    process = everyday(root)["process"]
    assert process["user"] == {"uid": 999, "gid": 998, "additionalGids": [995, 998]}
    assert set(map(tuple, process["capabilities"].values())) == {()}
    assert process["noNewPrivileges"] is True
    assert process["args"] == [
        *("/usr/lib/postgresql/18/bin/postgres", "-D", "/var/lib/x"),
        *("-c", "listen_addresses=", "-c", "log_line_prefix=%m [%p] $x"),
    ]
    assert "HOME=/var/lib/postgresql" in process["env"] and "HOSTNAME=pg1" in process["env"]


@pytest.mark.parametrize(
    ("command", "args"),
    [
        (None, ["-D", "/var/lib/x"]),
        (["-c", "a=b"], ["-D", "/var/lib/x", "-c", "a=b"]),
        (["postgres", "-D", "/d"], ["-D", "/d"]),
        (["/usr/bin/postgres", "-D/d"], ["-D/d"]),
    ],
)
def test_its_command_line_is_the_service_s(
    root: str, command: list[str] | None, args: list[str]
) -> None:
    assert everyday(root, command=command)["process"]["args"][1:] == args


def test_its_network_is_new_or_the_one_that_was_made_for_it(root: str) -> None:
    assert {"type": "network"} in everyday(root)["linux"]["namespaces"]
    made = spec.everyday(service(POSTGRES), IMAGE, root, name="a", owner=(1, 1), network="/run/n")
    networks = [each for each in made["linux"]["namespaces"] if each["type"] == "network"]
    assert networks == [{"type": "network", "path": "/run/n"}]


def test_a_mount_is_made_where_its_links_lead_and_what_is_above_it_before(root: str) -> None:
    made = everyday(root)
    places = [each["destination"] for each in made["mounts"]]
    assert places.index("/run") < places.index("/run/postgresql")
    assert places.index("/dev") < places.index("/dev/shm")
    assert "/var/run/postgresql" not in places and len(set(places)) == len(places)
    assert made["root"] == {"path": root, "readonly": True}
    assert "size=268435456" in mounted(made, "/dev/shm")["options"]


def test_no_link_of_an_image_leads_out_of_it(root: str) -> None:
    (Path(root) / "a").symlink_to("../../../../etc")
    (Path(root) / "loop").symlink_to("loop")
    volumes = [{"type": "bind", "source": "/srv", "target": "/a/passwd"}]
    assert mounted(everyday(root, volumes=volumes), "/etc/passwd")["source"] == "/srv"
    with pytest.raises(SockwakeError, match="/loop in the image is a loop of links"):
        everyday(root, volumes=[{"type": "bind", "source": "/srv", "target": "/loop"}])


def test_a_bind_keeps_what_its_file_system_forbids(
    root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """crun would mount it without, where Docker leaves it as it is."""

    def mounted_like(path: str) -> SimpleNamespace:
        if path != "/srv":
            raise FileNotFoundError(path)
        return SimpleNamespace(f_flag=os.ST_NODEV | os.ST_NOSUID | os.ST_NOEXEC | os.ST_RDONLY)

    monkeypatch.setattr(os, "statvfs", mounted_like)
    volumes = [{"type": "bind", "source": "/srv/not/yet", "target": "/data"}]
    made = mounted(everyday(root, volumes=volumes), "/data")
    assert made["options"] == ["rbind", "rprivate", "ro", "nosuid", "nodev", "noexec"]


def test_a_link_below_a_mount_is_out_of_sight(root: str) -> None:
    (Path(root) / "run/x").symlink_to("/etc")
    volumes = [{"type": "bind", "source": "/srv", "target": "/var/run/x"}]
    assert mounted(everyday(root, volumes=volumes), "/run/x")["source"] == "/srv"


def test_the_container_that_initialises_is_the_image_s_own(root: str) -> None:
    made = spec.initialising(
        service(POSTGRES),
        IMAGE,
        root,
        name="pg1",
        environment={"POSTGRES_PASSWORD": "$x"},
        binds=[("/tmp/data", "/var/lib/postgresql")],
    )
    process = made["process"]
    assert process["user"] == {"uid": 0, "gid": 0, "additionalGids": [0]}
    assert process["args"][:2] == ["docker-entrypoint.sh", "postgres"]
    assert len(process["capabilities"]["effective"]) == 14
    assert "POSTGRES_PASSWORD=$x" in process["env"]
    assert mounted(made, "/var/lib/postgresql")["source"] == "/tmp/data"


def test_every_key_of_a_service_is_translated(root: str) -> None:
    made = spec.spec(service(RICH), IMAGE, root, name="web")
    process, linux = made["process"], made["linux"]
    assert process["args"] == ["/x", "y", "serve", "-c", "a=b c", "$HOME"]
    assert process["user"] == {"uid": 33, "gid": 4, "additionalGids": [4, 12]}
    assert process["cwd"] == "/w" and process["oomScoreAdj"] == 100
    assert process["capabilities"]["effective"] == []  # as with Docker: it is not root
    assert {"CAP_NET_ADMIN", "CAP_CHOWN"} < set(process["capabilities"]["bounding"])
    assert "CAP_MKNOD" not in process["capabilities"]["bounding"]
    assert {"A=x$y", "C=1", "E2=x y", "HOSTNAME=hh", "HOME=/var/www"} < set(process["env"])
    assert not [each for each in process["env"] if each.startswith("B=")]
    assert process["noNewPrivileges"] is True
    assert process["rlimits"] == [
        {"type": "RLIMIT_NOFILE", "soft": 1000, "hard": 1000},
        {"type": "RLIMIT_NPROC", "soft": 10, "hard": 2**64 - 1},
    ]
    assert made["domainname"] == "dd"
    assert made["hostname"] == "hh" and made["annotations"] == {"q": "r"}
    assert linux["sysctl"] == {
        "kernel.shmmax": "5",
        "net.core.somaxconn": "1024",
        "net.ipv4.ip_unprivileged_port_start": "0",
        "net.ipv4.ping_group_range": "0 2147483647",
    }
    assert mounted(made, "/a")["options"][-2:] == ["ro", "rro"]
    assert mounted(made, "/b")["options"][:2] == ["rbind", "rslave"]
    assert mounted(made, "/t")["options"][-2:] == ["size=10485760", "mode=755"]
    assert mounted(made, "/tmp2")["options"] == [
        *("nosuid", "nodev", "size=10m", "mode=1777", "exec")
    ]


def test_the_names_are_in_files_of_the_bundle(root: str) -> None:
    files = spec.etc_files(service(RICH), "web")
    assert files["hostname"] == "hh\n"
    assert files["hosts"].splitlines()[2:] == ["1.2.3.4\ta", "::5\tb"]
    assert files["resolv.conf"] == "nameserver 1.1.1.1\nsearch x.y\noptions ndots:2\n"
    assert spec.etc_files(service(POSTGRES), "pg1")["resolv.conf"] == ""


def test_on_the_host_s_network_the_names_are_the_host_s(root: str) -> None:
    on_host = service(POSTGRES, network_mode="host")
    made = spec.spec(on_host, IMAGE, root, name="pg1")
    assert spec.etc_files(on_host, "pg1") == {} and "hostname" not in made
    assert {"type": "network"} not in made["linux"]["namespaces"]
    assert made["linux"]["sysctl"] == {}
    assert mounted(made, "/etc/hosts")["source"] == "/etc/hosts"


@pytest.mark.parametrize(
    ("entrypoint", "command", "args"),
    [
        (None, None, ["docker-entrypoint.sh", "postgres"]),
        (None, [], ["docker-entrypoint.sh", "postgres"]),
        (None, ["x"], ["docker-entrypoint.sh", "x"]),
        ([], None, ["postgres"]),
        (["/e"], None, ["/e"]),
        (["/e"], ["x"], ["/e", "x"]),
    ],
)
def test_entrypoint_and_command_are_put_together_as_by_an_engine(
    entrypoint: list[str] | None, command: list[str] | None, args: list[str]
) -> None:
    assert spec.command({"entrypoint": entrypoint, "command": command}, IMAGE) == args


def test_something_has_to_be_run() -> None:
    with pytest.raises(SockwakeError, match="what to run"):
        spec.command({"entrypoint": None, "command": None}, {})


@pytest.mark.parametrize(
    ("user", "uid", "gid", "groups"),
    [
        ("", 0, 0, [0]),
        ("postgres", 999, 999, [995, 999]),
        ("999", 999, 999, [995, 999]),
        ("999:4", 999, 4, [4]),
        ("www:ssl-cert", 33, 995, [995]),
        ("12345", 12345, 0, [0]),
        ("12345:6", 12345, 6, [6]),
    ],
)
def test_a_user_is_what_the_image_s_files_say(
    root: str, user: str, uid: int, gid: int, groups: list[int]
) -> None:
    read_only = service(POSTGRES, read_only=True)
    made = spec.spec(read_only, {**IMAGE, "User": user}, root, name="x")
    assert made["process"]["user"] == {"uid": uid, "gid": gid, "additionalGids": groups}


@pytest.mark.parametrize(
    ("keys", "error"),
    [
        ({"user": "nobody"}, "the image has no user 'nobody'"),
        ({"user": "www:nogroup"}, "the image has no group 'nogroup'"),
        ({"group_add": ["nogroup"]}, "the image has no group 'nogroup'"),
    ],
)
def test_names_that_the_image_does_not_know_are_errors(
    root: str, keys: dict[str, object], error: str
) -> None:
    with pytest.raises(SockwakeError, match=error):
        spec.spec(service(POSTGRES, **keys), IMAGE, root, name="x")


def test_a_server_that_the_image_does_not_have_is_an_error(root: str) -> None:
    image = {**IMAGE, "Env": ["PATH=/usr/bin", "PGDATA=/x"]}
    with pytest.raises(SockwakeError, match=r"no program 'postgres' in its PATH \(/usr/bin\)"):
        spec.server_command(service(POSTGRES), image, root)


def test_the_apparmor_profile_is_named_only_where_it_is_loaded(tmp_path: Path) -> None:
    loaded = tmp_path / "profiles"
    assert apparmor.profile(str(loaded)) == ""
    loaded.write_text("docker-default (enforce)\n")
    assert apparmor.profile(str(loaded)) == ""
    loaded.write_text("docker-default (enforce)\nsockwake-container (enforce)\n")
    assert apparmor.profile(str(loaded)) == "sockwake-container"


def test_mount_points_that_the_image_does_not_have_are_told(root: str) -> None:
    volumes = [
        {"type": "bind", "source": "/srv", "target": target}
        for target in ("/var/run/in-memory", "/data", "/var/here")
    ]
    (Path(root) / "var/here").mkdir()
    for each in ("dev", "proc", "sys", "var/tmp"):
        (Path(root) / each).mkdir()
    for each in ("hosts", "hostname", "resolv.conf"):
        (Path(root) / "etc" / each).touch()
    made = everyday(root, volumes=volumes)
    lacking = [each["destination"] for each in spec.missing(root, made["mounts"])]
    assert lacking == ["/data"]


def test_any_other_container_writes_to_a_root_of_its_own(root: str) -> None:
    def made(**keys: object) -> dict[str, Any]:
        asked = service(RICH, **keys)
        return spec.container(asked, IMAGE, root, name="a", root="/l/root", network="/run/n")

    assert made(read_only=None)["root"] == {"path": "/l/root", "readonly": False}
    assert made()["root"] == {"path": "/l/root", "readonly": True}
    networks = [each for each in made()["linux"]["namespaces"] if each["type"] == "network"]
    assert networks == [{"type": "network", "path": "/run/n"}]
    assert made()["process"]["args"] == ["/x", "y", "serve", "-c", "a=b c", "$HOME"]


def test_mount_points_that_the_image_lacks_are_not_made_in_it(root: str) -> None:
    asked = service(RICH, volumes=None, tmpfs=None)
    made = spec.container(asked, IMAGE, root, name="a", root=root)
    for each in made["mounts"]:
        place = Path(f"{root}{each['destination']}")
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            place.mkdir()
    assert not spec.needs_layer(asked, made, root)
    volumes = [("/srv/v", "/no/such")]
    lacking = spec.container(asked, IMAGE, root, name="a", root=root, volumes=volumes)
    assert spec.needs_layer(asked, lacking, root)
    assert spec.needs_layer(service(RICH, read_only=None), made, root)
