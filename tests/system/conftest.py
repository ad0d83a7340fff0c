"""Ring 2: on a real systemd, a real Docker and real servers, as root, with the package installed.

Every test makes what it needs with the real commands; afterwards nothing of it may be left.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

import figures
import host_postgres
import project as projects
import redis_server
import traces
from account import WEB, Account, MakeOwn, Own, logged_in
from check_program import CheckProgram
from clusters import Clusters
from database import IMAGE, Database
from instances import Instances, Know, KnowService, Make, MakeService, MakeSleeper, runtime_of
from intruder import Intruder, logged_in_intruder
from needs import PROGRAMS, what_is_missing
from program import installed, run
from project import MakeProject
from service import Service
from soak import SOAK
from stranger import shortening
from webshop import NGINX, container

MARKERS = (
    "fault: does damage, and checks what is reported and whether it heals",
    "kills: kills a PostgreSQL, whose next start may then be a crash recovery",
    "makes: tests how an instance is made, and so gets no copy of a cluster",
    "engine: its containers are woken by an engine, not by crun",
    "soak: takes long, or shows of another runtime what is shown of one already",
    "after(boot): runs only when SOCKWAKE_BOOT is this",
)


def pytest_configure(config: pytest.Config) -> None:
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    # a shell's background job ignores SIGINT, and so would its children
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests this machine cannot run, with the reason; put those of the package last.

    Those of the soak are left out of everything else.
    """
    if not SOAK:
        items[:] = [item for item in items if not item.get_closest_marker("soak")]
    boot = os.environ.get("SOCKWAKE_BOOT")
    if boot:
        items[:] = [
            item
            for item in items
            if not (turn := item.get_closest_marker("after")) or turn.args == (boot,)
        ]
    missing = what_is_missing()
    for item in items:
        for need in missing.keys() & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.skip(reason=missing[need]))
    items.sort(key=lambda item: item.path.name == "test_package.py")


@pytest.fixture(scope="session", autouse=True)
def figures_of_the_run(record_testsuite_property: Callable[[str, object], None]) -> Iterator[None]:
    """Write the figures of the run into its report."""
    cursor = figures.place()
    yield
    for name, value in figures.total(cursor).items():
        record_testsuite_property(name, value)


@pytest.fixture(scope="session")
def machine() -> None:
    """The package is installed on this machine; without it tests that need this are skipped."""


@pytest.fixture(scope="session")
def image(machine: None) -> str:
    """The image most instances are made of."""
    return IMAGE


@pytest.fixture(scope="session")
def nginx(machine: None) -> str:
    """An image with a web server on port 80."""
    return NGINX


@pytest.fixture(scope="session")
def redis(machine: None) -> str:
    """The path of redis-server."""
    return PROGRAMS["redis"]


@pytest.fixture(scope="session")
def gatewayd(machine: None) -> str:
    """The path of systemd-journal-gatewayd, which takes its socket from systemd."""
    return PROGRAMS["gatewayd"]


@pytest.fixture(scope="session")
def listening_before() -> Iterator[set[int]]:
    yield traces.listening()
    assert traces.claims() == []


@pytest.fixture
def program(machine: None) -> Iterator[str]:
    """The path of native_service.py, installed."""
    with installed("native_service.py") as path:
        yield path


@pytest.fixture(scope="module")
def intruder(machine: None) -> Iterator[Intruder]:
    """An ordinary user who is logged in and tries to get at instances."""
    with logged_in_intruder() as one:
        yield one


@pytest.fixture
def check(machine: None) -> Iterator[CheckProgram]:
    """check(BODY) makes a program for --check, or changes it; returns its path."""
    program = CheckProgram(Path("/run/check-of-the-tests"))
    yield program
    shutil.rmtree(program.folder)


@pytest.fixture(autouse=True)
def made(request: pytest.FixtureRequest) -> Iterator[Instances]:
    """The instances of the test; fails it when anything of them is left."""
    mine = Instances()
    if "machine" not in request.fixturenames:
        yield mine
        return
    before = request.getfixturevalue("listening_before")
    if request.node.get_closest_marker("fault"):
        figures.count("faults tried")
    place = figures.place()
    yield mine
    left = mine.take_away() + traces.found(before)
    if left:
        traces.sweep()
    if not request.node.get_closest_marker("kills") and (recovered := figures.recoveries(place)):
        figures.count("crash recoveries seen", recovered)
        left.append(f"{recovered} times a server had to recover from a crash")
    assert not left, "\n".join(left)


@pytest.fixture(scope="session")
def clusters(tmp_path_factory: pytest.TempPathFactory) -> Clusters:
    """Copies of clusters; with SOCKWAKE_CLUSTERS also those of earlier test files."""
    folder = os.environ.get("SOCKWAKE_CLUSTERS")
    return Clusters(Path(folder) if folder else tmp_path_factory.mktemp("clusters"))


@pytest.fixture
def instance(
    request: pytest.FixtureRequest, made: Instances, image: str, clusters: Clusters
) -> Make:
    """instance(*options, name=…, version=…, idle=…, enable=…) makes one with sockwake-new.

    With pytest.mark.engine an engine wakes it, and not crun.
    """

    def make(
        *options: str, name: str = "pg1", version: str = "18", idle: str = "1s", enable: bool = True
    ) -> Database:
        makes = request.node.get_closest_marker("makes")
        is_like_others = not makes and clusters.serves(name, options)
        if is_like_others:
            clusters.lay_out(name, version, options)
        versioned = ("--version", version, *options)
        versioned += runtime_of(request, options)
        database = made.make(Database(name), *versioned, idle=idle, enable=enable)
        if is_like_others:
            clusters.keep(database, version, options)
        return database

    return make


@pytest.fixture
def host(instance: Make) -> Make:
    """host(*options, name=…, …) makes one with --runtime host."""
    if not host_postgres.SERVER.exists():
        pytest.skip(f"{host_postgres.SERVER} is not on this machine")

    def make(*options: str, **others: object) -> Database:
        return instance("--runtime", "host", *options, version=host_postgres.VERSION, **others)

    return make


@pytest.fixture
def known(made: Instances, image: str) -> Know:
    """known(NAME) is an instance that the test is going to make by itself."""
    return lambda name: made.know(Database(name))


@pytest.fixture
def service(request: pytest.FixtureRequest, made: Instances, machine: None) -> MakeService:
    """service(KIND, *options, name=…, idle=…, enable=…) makes one with sockwake-new.

    With pytest.mark.engine an engine wakes a container.
    """

    def make(
        kind: str, *options: str, name: str = "svc1", idle: str = "1s", enable: bool = True
    ) -> Service:
        options += runtime_of(request, options) if kind == "container" else ()
        return made.make(Service(name), "--kind", kind, *options, idle=idle, enable=enable)

    return make


@pytest.fixture
def project(made: Instances, nginx: str) -> Iterator[MakeProject]:
    """project(SOURCE, *options, name=…, status=…) makes one of a copy of projects/SOURCE."""

    yield partial(projects.make, made.know)
    made.remove()
    projects.sweep()


@pytest.fixture
def known_service(made: Instances, machine: None) -> KnowService:
    """known_service(NAME) is an instance that the test is going to make by itself."""
    return lambda name: made.know(Service(name))


@pytest.fixture(scope="module")
def account(image: str) -> Iterator[Account]:
    """The ordinary user of the machine, with podman and the images."""
    if run("sh", "-c", "command -v podman && getent passwd user").status:
        pytest.skip("podman is not installed, or there is no user 'user'")
    with logged_in(IMAGE, NGINX) as one:
        yield one


@pytest.fixture
def own(account: Account) -> Iterator[MakeOwn]:
    """own(NAME, OPTION…) makes one with sockwake-new --user, or as COMMAND does."""
    with account.instances() as make:
        yield make
    assert account.left() == []


@pytest.fixture
def user_database(own: MakeOwn) -> Own:
    """A PostgreSQL of the user's."""
    return own("mine", "--version", "18")


@pytest.fixture
def user_web(own: MakeOwn) -> Own:
    """A web server of the user's."""
    return own("web", *WEB)


@pytest.fixture
def sleeper(
    instance: Make, service: MakeService, nginx: str, redis: str, program: str
) -> MakeSleeper:
    """sleeper(KIND, OPTION...) makes an instance whose clients speak first."""

    def make(kind: str, *options: str) -> Service:
        if kind == "postgres":
            return instance(*options)
        if kind == "container":
            return container(service, nginx, *options)
        if kind == "command":
            return redis_server.server(service, redis, "--client-first", *options)
        return service("native", "--exec", program, "--client-first", *options)

    return make


@pytest.fixture
def impatient() -> Iterator[Callable[[Service], None]]:
    """impatient(SERVICE) shortens to 3 s how long the kernel waits for a client's first word."""
    with shortening() as shorten:
        yield shorten
