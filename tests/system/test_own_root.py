"""A container that crun wakes has a root of its own, kept and thrown away as by an engine."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import images
from instances import MakeService
from moment import until
from program import must, run
from service import Service
from web import get, staying
from webshop import container

BUNDLES = Path("/var/lib/sockwake/bundles")
IMAGES = Path("/var/lib/sockwake/images")
FAILED = 1
# counts its starts in a file of its root, which the image has already, and in a volume
COUNTS = """\
echo start >>/var/www/html/index.html
echo start >>/kept/starts
exec "$@"
"""


@pytest.fixture(autouse=True)
def built(nginx: str) -> Iterator[None]:
    yield
    run("docker", "rmi", "--force", "trial:1", "trial:2")
    run("sockwake", "images", "prune")


def starts(shop: Service) -> int:
    """How often its container has been started, this start included; it is asleep again then."""
    times = get(shop.port).text.count("start")
    shop.asleep()
    return times


def left(name: str) -> list[str]:
    return sorted(path.name for path in BUNDLES.glob(f"{name}*"))


def test_what_it_writes_is_its_own_and_stays_as_long_as_the_container(
    service: MakeService, tmp_path: Path
) -> None:
    image = images.script(tmp_path, "trial:1", COUNTS.replace("/kept", "/tmp"))
    shop = container(service, image)
    other = container(service, image, name="svc2")
    assert [starts(shop) for _ in range(2)] == [2, 3], "the first was the trial of sockwake-new"
    assert starts(other) == 2, "another instance has another root"
    shop.edit("compose.yaml", "    restart:", "    labels: {mine: edited}\n    restart:")
    assert starts(shop) == 1, "an edit makes the container anew"
    must("docker", "build", "--quiet", "--tag", "trial:1", "--label", "a=b", str(tmp_path))
    with staying(shop.port):
        must("sockwake", "update", "svc1", timeout=120)
        assert get(shop.port).text.count("start") == 2, "one that runs keeps its own"
    shop.asleep()
    assert len(list((BUNDLES / "svc1.layers").iterdir())) == 1, "what no container uses has gone"
    assert starts(shop) == 1
    for page in IMAGES.glob("*/rootfs/var/www/html/index.html"):
        assert "start" not in page.read_text()
    assert not any(str(BUNDLES) in line for line in Path("/proc/mounts").read_text().splitlines())
    must("sockwake", "rm", "svc1")
    assert left("svc1") == [] and left("svc2") == ["svc2", "svc2.layers"]
    assert starts(other) == 3


@pytest.mark.fault
def test_its_root_is_whole_and_mounted_nowhere_after_all_its_processes_were_killed(
    service: MakeService, tmp_path: Path
) -> None:
    shop = container(service, images.script(tmp_path, "trial:1", COUNTS.replace("/kept", "/tmp")))
    for times in (2, 3):
        assert get(shop.port).text.count("start") == times
        must("systemctl", "kill", "--signal=KILL", shop.backend)
        until("it has ended", lambda: not shop.processes())
        assert str(BUNDLES) not in Path("/proc/mounts").read_text()
    assert get(shop.port).text.count("start") == 4
    proxy = shop.main_pid(shop.proxy)
    os.kill(shop.main_pid(shop.backend), signal.SIGKILL)
    until("its proxy has gone", lambda: shop.main_pid(shop.proxy) != proxy)
    assert starts(shop) == 5
    layer = next((BUNDLES / "svc1.layers").iterdir())
    must("rm", "-r", str(layer / "work"))
    assert starts(shop) == 1, "one that is damaged is made anew"


@pytest.mark.soak
def test_what_its_image_keeps_outlives_edits_and_updates_and_no_move_leaves_it_behind(
    service: MakeService, tmp_path: Path
) -> None:
    image = images.script(
        tmp_path,
        "trial:1",
        COUNTS + "\n",
        "RUN mkdir /kept && echo image >/kept/starts && chown 33:33 /kept",
        "VOLUME /kept",
        "RUN ln -s /kept/starts /var/www/html/kept",
    )
    shop = container(service, image)
    assert get(shop.port, "/kept").text == "image\nstart\nstart\n"
    shop.asleep()
    shop.edit("compose.yaml", "    restart:", "    labels: {mine: edited}\n    restart:")
    assert get(shop.port, "/kept").text.count("start") == 3
    shop.asleep()
    must("docker", "build", "--quiet", "--tag", "trial:1", "--label", "a=b", str(tmp_path))
    must("sockwake", "update", "svc1", timeout=120)
    assert get(shop.port, "/kept").text.count("start") == 5, "one was the proof of the update"
    shop.asleep()
    kept = BUNDLES / "svc1.volumes/kept"
    assert (kept.stat().st_uid, kept.stat().st_gid) == (33, 33)
    said = run("sockwake", "runtime", "svc1", "engine", timeout=120).expect(FAILED).err
    assert f"what its image keeps is in {kept}" in said
    assert get(shop.port, "/kept").text.count("start") == 6
    shop.asleep()
    run("sockwake", "rm", "svc1").expect(0, f"deleted what its image kept in {kept}")
    assert left("svc1") == []
    old = container(service, image, "--runtime", "engine", "--network", "none")
    said = run("sockwake", "runtime", "svc1", "crun", timeout=120).expect(FAILED).err
    assert "what its image keeps in /kept is in a volume of the engine's" in said
    assert get(old.port, "/kept").text.count("start") == 2
    old.asleep()


@pytest.mark.soak
def test_a_container_of_an_engine_moves_there_and_back(service: MakeService, nginx: str) -> None:
    options = ("--mount", "/var/www/html", "--network", "none", "--runtime", "engine")
    shop = container(service, nginx, *options)
    (shop.data / "page").write_text("kept")
    path = shop.etc / "instance.env"
    path.write_text(path.read_text().replace("RUNTIME=engine\n", ""))  # as of 0.1
    before = path.read_text()
    for runtime in ("crun", "engine"):
        said = run("sockwake", "runtime", "svc1", runtime, timeout=120).expect(0).out
        assert f"removed its {'container in docker' if runtime == 'crun' else 'bundle'}" in said
        assert path.read_text() == before.replace("\nIMAGE", f"\nRUNTIME={runtime}\nIMAGE")
        assert get(shop.port, "/page").text == "kept"
        assert shop.is_bundled == (runtime == "crun")
        shop.asleep()
        assert left("svc1") == (["svc1", "svc1.layers"] if runtime == "crun" else [])


@pytest.mark.soak
def test_its_network_may_become_the_host_s_and_its_root_read_only(
    service: MakeService, tmp_path: Path
) -> None:
    answer = "$n = () = glob '/sys/class/net/*'; print $c qq(HTTP/1.0 200 OK\\r\\n\\r\\n)"
    probe = f"sysread $c, $_, 4096; {answer}, $n, open(F, '>/file') ? ' writable' : ' read-only'"
    shop = container(service, images.server(tmp_path, "trial:1", probe))
    assert get(shop.port).text == "1 writable"
    shop.asleep()
    shop.edit("compose.yaml", 'network_mode: "none"', 'network_mode: "host"\n    read_only: true')
    interfaces = len(os.listdir("/sys/class/net"))
    for _ in range(2):
        assert get(shop.port).text == f"{interfaces} read-only"
        shop.asleep()
    shop.edit("compose.yaml", 'network_mode: "host"', 'network_mode: "none"')
    assert get(shop.port).text == "1 read-only"
    shop.asleep()
