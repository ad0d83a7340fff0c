"""What a container that crun runs may do, beside what it may do under Docker.

The same probes run under both; docs/isolation.md is what they said.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import bundle
from bundle import Bundle, Image
from program import must, run

HERE = Path(__file__).parent
PAGE = Path("/usr/share/doc/sockwake/isolation.md")
OWNER = (999, 999)
# from weak to strong; everything else is a number, of which less is stronger, or a list of words
STRENGTH = {
    "the host's": 0,
    "possible": 0,
    "readable": 0,
    "writable": 0,
    "visible": 0,
    "no": 0,
    "root": 0,
    "its own": 1,
    "denied": 1,
    "hidden": 1,
    "read-only": 1,
    "yes": 1,
    "none": 1,
}
COLUMNS = ("Docker", "a container", "a PostgreSQL")
SERVICE: dict[str, Any] = {
    "command": ["postgres", "-c", "listen_addresses="],
    "entrypoint": None,
    "image": "postgres:18",
    "network_mode": "none",
    "read_only": True,
    "shm_size": "268435456",
    "stop_signal": "SIGINT",
}


@pytest.fixture(scope="module")
def unpacked(image: str) -> Iterator[Image]:
    """The image that most instances are made of, and crun to run it."""
    bundle.require_crun()
    with bundle.unpacked(image) as one:
        yield one


def test_a_container_of_crun_s_may_nowhere_do_more_than_one_of_docker_s(
    unpacked: Image, tmp_path: Path
) -> None:
    seen = dict(zip(COLUMNS, _probed(unpacked, tmp_path), strict=True))
    docker = seen[COLUMNS[0]]
    weaker = {
        f"{column}: {what}": (how, docker[what])
        for column in COLUMNS[1:]
        for what, how in seen[column].items()
        if not _at_least(how, docker[what])
    }
    assert weaker == {}
    is_the_page_s = _table(seen) in PAGE.read_text()
    if "VERSION_CODENAME=trixie\n" in Path("/etc/os-release").read_text():  # whose profile that is
        assert is_the_page_s, _table(seen)


def test_the_probes_notice_what_a_container_lacks(unpacked: Image, tmp_path: Path) -> None:
    with _probe(unpacked) as asked:
        made = bundle.translate(tmp_path, "lacking", unpacked, _service({}), "spec", asked)
        configuration = json.loads((made.path / "config.json").read_text())
        for key in ("seccomp", "maskedPaths", "readonlyPaths", "sysctl"):
            del configuration["linux"][key]
        del configuration["hostname"]
        configuration["linux"]["namespaces"] = [{"type": "mount"}, {"type": "pid"}]
        (made.path / "config.json").write_text(json.dumps(configuration))
        made.limits.clear()
        said = _read(made.run().expect(0).out)
    for what in ("mount()", "unshare() of users", "keyctl()", "clone3()", "get_mempolicy()"):
        assert said[what] == "possible"
    for what in ("cgroup namespace", "ipc namespace", "net namespace", "uts namespace"):
        assert said[what] == "the host's"
    assert said["a device of the host that it makes itself"] == "possible"
    assert said["/proc/keys"] == "readable" and said["/proc/sys"] == "writable"
    assert said["the host's kernel settings"] == "writable"


def test_apparmor_confines_what_it_confines_under_docker(unpacked: Image, tmp_path: Path) -> None:
    asked = ("cat", "/proc/self/attr/current")
    under_docker = run(
        *("docker", "run", "--rm", "--network", "none", "--entrypoint", asked[0]),
        *("postgres:18", asked[1]),
    )
    if "enforce" not in under_docker.out:
        pytest.skip("AppArmor confines no container of Docker's on this machine")
    ran = _everyday(unpacked, tmp_path, _service({}), asked).run().expect(0)
    assert ran.out.strip() == "sockwake-container (enforce)"


def test_a_cluster_is_made_by_the_image_and_served_without_any_capability(
    unpacked: Image, tmp_path: Path
) -> None:
    folders = {each: tmp_path / each for each in ("data", "socket")}
    for folder in folders.values():
        folder.mkdir()
        os.chown(folder, *OWNER)
    made = bundle.translate(
        *(tmp_path, "made-by-crun", unpacked, _service(folders), "initialising"),
        environment={"POSTGRES_PASSWORD": "secret", "POSTGRES_USER": "app"},
    )
    assert made.why_engine == ""
    with _running(made, "cluster-made-by-crun"):
        _ask(folders["socket"], "CREATE TABLE t AS SELECT 42 AS n")
    server = _everyday(unpacked, tmp_path, _service(folders))
    with _running(server, "server-of-crun") as pid:
        assert _ask(folders["socket"], "SELECT n FROM t") == "42"
        status = dict(
            line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        )
        assert {int(status[f"Cap{each}"], 16) for each in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {
            0
        }
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
        assert status["Uid"].split() == [str(OWNER[0])] * 4
        assert "server-of-crun.service" in Path(f"/proc/{pid}/cgroup").read_text()


GREEDY: dict[str, tuple[dict[str, object], str]] = {
    "memory": ({"mem_limit": "67108864"}, "$x = 'x' x 2e8; print 'has it'"),
    "pids": ({"pids_limit": 20}, "for (1..50) { fork // exit or sleep(1), exit } print 'has it'"),
    "cpu": ({"cpus": 0.2}, "1 while (times)[0] < 0.5; print 'has it' if time - $^T < 2"),
}


@pytest.mark.parametrize("controller", GREEDY)
def test_a_limit_of_the_service_bites(unpacked: Image, tmp_path: Path, controller: str) -> None:
    if controller not in Path("/sys/fs/cgroup/cgroup.controllers").read_text().split():
        pytest.skip(f"the machine has no controller of {controller}")
    limit, greedy = GREEDY[controller]
    outcome = [
        _everyday(unpacked, tmp_path, service, ["perl", "-e", greedy], name).run().out
        for name, service in (("free", _service({})), ("limited", _service({}, **limit)))
    ]
    assert outcome == ["has it", ""]


def _service(folders: Mapping[str, Path], **keys: object) -> dict[str, object]:
    """A PostgreSQL as compose prints it. folders: where "data" and "socket" are on the host."""
    places = {"data": "/var/lib/postgresql", "socket": "/var/run/postgresql"}
    volumes = [
        {"type": "bind", "source": str(folder), "target": places[each]}
        for each, folder in folders.items()
    ]
    return {**SERVICE, "volumes": volumes, **keys}


def _everyday(
    image: Image,
    folder: Path,
    service: Mapping[str, object],
    args: Sequence[str] = (),
    name: str = "everyday",
) -> Bundle:
    return bundle.translate(folder, name, image, service, "everyday", args, owner=OWNER)


def _probed(image: Image, folder: Path) -> Iterator[dict[str, str]]:
    """What the probes say, under each of COLUMNS."""
    with _probe(image) as asked:
        said = must(
            *("docker", "run", "--rm", "--network", "none", "--entrypoint", asked[0]),
            *("--volume", f"{image.root}{asked[1]}:{asked[1]}:ro", SERVICE["image"], *asked[1:]),
        )
        yield _read(said)
        writing = _service({}, read_only=False)
        a_container = bundle.translate(
            *(folder, "container", image, writing, "container", asked),
            root=str(image.root),  # itself a copy of the image, which nothing else uses
        )
        yield _read(a_container.run().expect(0).out)
        yield _read(_everyday(image, folder, _service({}), asked).run().expect(0).out)


@contextmanager
def _probe(image: Image) -> Iterator[list[str]]:
    """The probes in an image, as a command line."""
    kinds = os.listdir("/proc/1/ns")
    namespaces = [f"{each}={os.readlink(f'/proc/1/ns/{each}')}" for each in kinds]
    script = image.root / "usr/local/bin/isolation-probe"
    shutil.copy(HERE / "isolation_probe.pl", script)
    yield ["perl", "/usr/local/bin/isolation-probe", *namespaces]
    script.unlink()


def _read(said: str) -> dict[str, str]:
    return dict(line.split("\t", 1) for line in said.splitlines())


def _at_least(how: str, other: str) -> bool:
    """Whether one answer is not weaker than another."""
    if how in STRENGTH and other in STRENGTH:
        return STRENGTH[how] >= STRENGTH[other]
    if how.isdecimal() and other.isdecimal():
        return int(how) <= int(other)
    return how == "none" or set(how.split()) <= set(other.split())


def _table(seen: dict[str, dict[str, str]]) -> str:
    rows = [["", *COLUMNS], ["---"] * (1 + len(COLUMNS))]
    rows += [[what, *(seen[each][what] for each in COLUMNS)] for what in seen[COLUMNS[0]]]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


@contextmanager
def _running(server: Bundle, unit: str) -> Iterator[int]:
    """The process of a server while it runs, which is its unit's second, below crun."""
    # crun passes signals on to the server
    must(*server.command(unit=unit, settings=("KillMode=mixed", "KillSignal=SIGINT")))
    try:
        _await(unit)
        (state,) = json.loads(must("crun", "--root", bundle.ROOT, "list", "--format", "json"))
        yield state["pid"]
    finally:
        run("systemctl", "stop", unit)


def _await(unit: str) -> None:
    """Return once the server is ready that is there to stay, after the entrypoint's own."""
    times = 2 if "made" in unit else 1
    run_of_it = must("systemctl", "show", "--property=InvocationID", "--value", unit).strip()
    look = ("journalctl", f"_SYSTEMD_INVOCATION_ID={run_of_it}", "-o", "cat")
    deadline = time.monotonic() + 60
    while must(*look).count("ready to accept") < times:
        assert time.monotonic() < deadline, must(*look)
        time.sleep(0.1)


def _ask(socket: Path, question: str) -> str:
    """What a server answers on its unix socket."""
    return must("psql", "-h", str(socket), "-U", "app", "-d", "app", "-Atqc", question).strip()
