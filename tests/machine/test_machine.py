"""The machines themselves: that they do what they say, and that nothing outlives them.

Runs on the host, as root, beside whatever machines others have: python3 -m pytest tests/machine
"""

from __future__ import annotations

import glob
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

MACHINE = Path(__file__).resolve().parent / "machine"
PID = os.getpid()
LEFT, RIGHT = f"mt-{PID}-left", f"mt-{PID}-right"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="machines need root")


def machine(*argv: str, status: int = 0, text: str | None = None) -> str:
    """Run one machine command, check its status and return its stdout (stderr on failure)."""
    done = subprocess.run(
        [MACHINE, *argv], check=False, input=text, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == status, f"{argv}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout if status == 0 else done.stderr


def run(name: str, *command: str, status: int = 0) -> str:
    """Run a command in a machine."""
    return machine("run", name, "--", *command, status=status)


def row(name: str) -> list[str]:
    """NAME, status, process 1 and folder of a machine, as `machine ls` has it."""
    rows = [line.split() for line in machine("ls").splitlines()]
    return next((fields for fields in rows if fields[0] == name), [])


def eventually(true: Callable[[], bool], timeout_s: float = 60) -> bool:
    """Whether something becomes true in time; the host may be busy."""
    deadline = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def processes(word: str) -> list[int]:
    """Living processes of the host with a word in their command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if word in command and int(folder.name) != PID:
            found.append(int(folder.name))
    return found


def keeper(name: str) -> int:
    """The process that holds a machine up."""
    return next(pid for pid in processes(f"machines/{name}\0") if "keeper.py" in cmdline(pid))


def cmdline(pid: int) -> str:
    """What a process was called with."""
    return Path(f"/proc/{pid}/cmdline").read_text()


def traces(name: str) -> list[str]:
    """What the host still knows of a machine, its folder left aside."""
    found = [f"process {pid}" for pid in processes(f"machines/{name}")]
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    found += [f"mount {line}" for line in mounts if name in line]
    # Not pathlib's: it gives up when another machine's cgroup ends meanwhile.
    found += [f"cgroup {path}" for path in glob.glob(f"/sys/fs/cgroup/**/*{name}*", recursive=True)]
    return found


@pytest.fixture(scope="module")
def pair() -> Iterator[None]:
    """Two machines side by side; afterwards the host is what it was."""
    interfaces = os.listdir("/sys/class/net")
    try:
        for name in (LEFT, RIGHT):
            machine("boot", name, "--with-parent")
        yield
    finally:
        for name in (LEFT, RIGHT):
            machine("stop", name)
    assert eventually(lambda: traces(f"mt-{PID}-") == []), traces(f"mt-{PID}-")
    assert os.listdir("/sys/class/net") == interfaces


def test_each_has_its_own_systemd_docker_and_name(pair: None) -> None:
    for name in (LEFT, RIGHT):
        assert run(name, "systemctl", "is-system-running").strip() == "running"
        assert "postgres:18" in run(name, "docker", "images", "--format={{.Repository}}:{{.Tag}}")
        assert run(name, "hostname").strip() == name
    assert run(LEFT, "cat", "/etc/machine-id") != run(RIGHT, "cat", "/etc/machine-id")


def test_networks_are_apart(pair: None) -> None:
    for name in (LEFT, RIGHT):
        web = ["--rm", "--detach", "--name=web", "--publish=127.0.0.1:80:80", "nginx:local"]
        run(name, "docker", "run", *web)
    assert "eth0" not in run(LEFT, "ls", "/sys/class/net").split()
    run(LEFT, "docker", "stop", "web")
    assert run(RIGHT, "curl", "--fail", "--silent", "http://127.0.0.1/")
    run(LEFT, "curl", "--fail", "--silent", "http://127.0.0.1/", status=7)


def test_run_passes_everything_through(pair: None) -> None:
    run(LEFT, "true")
    run(LEFT, "sh", "-c", "exit 37", status=37)
    run(LEFT, "no-such-program", status=127)
    done = subprocess.run(
        [MACHINE, "run", LEFT, "--", "sh", "-c", "echo out; echo err >&2; cat"],
        check=False,
        input="not for it",
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("out\n", "err\n")
    assert machine("run", LEFT, "--input", "--", "cat", text="for it") == "for it"
    assert run(LEFT, "echo", "--", "-x", "a b") == "-- -x a b\n"


def test_run_has_a_clean_place(pair: None) -> None:
    os.environ["MT_NOISE"] = "1"
    assert "MT_NOISE" not in run(LEFT, "env")
    assert run(LEFT, "pwd") == "/root\n"
    assert "machine.visitors" in run(LEFT, "cat", "/proc/self/cgroup")
    assert run(LEFT, "sh", "-c", "ls /proc/self/fd | wc -l").strip() == "4"


def test_run_as_user_and_on_a_terminal(pair: None) -> None:
    assert machine("run", LEFT, "--user", "user", "--", "id", "-un") == "user\n"
    assert "no user 'ghost'" in machine("run", LEFT, "--user=ghost", "--", "id", status=1)
    assert "/dev/pts/" in machine("run", LEFT, "--tty", "--", "tty")
    machine("run", LEFT, "--tty", "--", "sh", "-c", "exit 37", status=37)


def test_a_killed_run_leaves_nothing_running(pair: None) -> None:
    # Not in the one that is rebooted: the host may take seconds to reap what it inherits here.
    nap = f"4242.{PID}"
    child = subprocess.Popen([MACHINE, "run", RIGHT, "--", "sleep", nap])
    # setpriv has become it: from then on the kernel ends it with its parent
    assert eventually(lambda: any(cmdline(pid).startswith("sleep") for pid in processes(nap)))
    child.kill()
    child.wait()
    assert eventually(lambda: processes(f"\0{nap}\0") == [])


def test_files_go_in_and_out(pair: None, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "script").write_text("#!/bin/sh\necho here\n")
    (tmp_path / "folder" / "script").chmod(0o755)
    machine("push", LEFT, str(tmp_path / "folder"), "/var/run/made")
    assert run(LEFT, "/run/made/folder/script") == "here\n"
    machine("pull", LEFT, "/run/made/folder", str(tmp_path / "back"))
    assert (tmp_path / "back" / "script").read_text() == "#!/bin/sh\necho here\n"
    assert "cannot pull /nowhere" in machine("pull", LEFT, "/nowhere", str(tmp_path), status=1)


def test_reboot_kill_and_start_keep_the_state(pair: None) -> None:
    run(LEFT, "docker", "create", "--name=kept", "nginx:local")
    run(LEFT, "sh", "-c", "echo kept > /etc/kept")
    before = row(LEFT)
    machine("reboot", LEFT)
    after = row(LEFT)
    assert before[2] != after[2]
    machine("kill", LEFT)
    assert row(LEFT)[1] == "stopped"
    assert traces(LEFT) == []
    assert "machine start" in run(LEFT, "true", status=1)
    machine("start", LEFT, "--with-parent")
    assert run(LEFT, "cat", "/etc/kept") == "kept\n"
    assert run(LEFT, "docker", "ps", "--all", "--format={{.Names}}") == "kept\n"


@pytest.mark.parametrize("victim", ["guest", "keeper"])
def test_death_by_kill_9(pair: None, victim: str) -> None:
    name = f"mt-{PID}-{victim}"
    try:
        machine("boot", name)
        run(name, "docker", "run", "-d", "-e", "POSTGRES_PASSWORD=x", "postgres:18")
        folder = Path(row(name)[3])
        held_up_by = keeper(name)
        os.kill(int(row(name)[2]) if victim == "guest" else held_up_by, signal.SIGKILL)
        assert eventually(lambda: not processes(f"machines/{name}"))
        # Without its keeper the (empty) cgroup is removed by the next command.
        assert row(name)[1:2] == (["stopped"] if victim == "guest" else [])
        assert eventually(lambda: traces(name) == []), traces(name)
        assert folder.exists() == (victim == "guest")
    finally:
        machine("stop", name)
    assert not folder.exists()


def test_dies_with_the_process_that_booted_it(pair: None) -> None:
    name = f"mt-{PID}-orphan"
    # It ends with us, too: what it reads from is our end of a pipe.
    script = f"import subprocess, sys; subprocess.run(['{MACHINE}', 'boot', '{name}', "
    script += (
        "'--with-parent'], stdin=subprocess.DEVNULL); print('up', flush=True); sys.stdin.read()"
    )
    argv = [sys.executable, "-c", script]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"up\n"
        folder = Path(row(name)[3])
        parent.kill()
    assert eventually(lambda: not folder.exists() and traces(name) == []), traces(name)


def test_binds_are_read_only(pair: None, tmp_path: Path) -> None:
    (tmp_path / "seen").write_text("seen\n")
    name = f"mt-{PID}-bind"
    machine("boot", name, "--with-parent", "--bind-ro", f"{tmp_path}:/bound")
    try:
        assert run(name, "cat", "/bound/seen") == "seen\n"
        run(name, "touch", "/bound/new", status=1)
    finally:
        machine("stop", name)


@pytest.mark.parametrize(
    ("argv", "status", "said"),
    [
        (["boot", "Upper"], 1, "machine name 'Upper' is not valid"),
        (["boot", "mt-x", "--bind-ro", "/nowhere:/x"], 1, "there is no /nowhere to bind"),
        (["run", "mt-absent", "--", "true"], 1, "(hint: make it: machine boot mt-absent)"),
        (["run", "mt-absent"], 2, "'run' needs a command after '--'"),
        (["start", "mt-absent"], 1, "there is no machine 'mt-absent'"),
        (["kill", "mt-absent"], 1, "machine 'mt-absent' is absent"),
        (["chroot", "nothing", "--", "true"], 1, "there is no tree 'nothing'"),
        (["fly"], 2, "invalid choice: 'fly'"),
    ],
)
def test_errors(argv: list[str], status: int, said: str) -> None:
    error = machine(*argv, status=status)
    assert error.startswith("machine: error: ") and said in error


@pytest.mark.parametrize("version", ["17", "18"])
def test_postgres_image_keeps_the_official_contract(pair: None, version: str) -> None:
    image, name = f"postgres:{version}", f"pg{version}"
    run(LEFT, "docker", "run", "--rm", image, status=1)
    run(LEFT, "sh", "-c", "umask 077; echo 's3 cr3t' > /srv/secret")
    run(LEFT, "sh", "-c", "echo 'CREATE TABLE t()' > /srv/t.sql")
    options = ["--env=POSTGRES_PASSWORD_FILE=/secret", "--volume=/srv/secret:/secret:ro"]
    options += ["--env=POSTGRES_DB=shop", "--volume=/srv/t.sql:/docker-entrypoint-initdb.d/t.sql"]
    options += [f"--volume=/run/{name}:/var/run/postgresql", f"--name={name}", "--detach"]
    run(LEFT, "docker", "run", *options, image, "-c", "max_connections=33")
    done = "init process complete"
    assert eventually(lambda: done in run(LEFT, "sh", "-c", f"docker logs {name} 2>&1"))
    asked = f"psql -h /run/{name} -U postgres -d shop -Atc 'TABLE t; SHOW max_connections'"
    assert eventually(lambda: run(LEFT, "sh", "-c", f"{asked} || :") == "33\n")
    assert run(LEFT, "docker", "exec", name, "cat", "/proc/1/comm") == "postgres\n"
    # Not 3775: the second chmod is by user postgres, which is not in the folder's group.
    assert run(LEFT, "stat", "-c", "%u %a", f"/run/{name}") == "999 1775\n"
    run(LEFT, "docker", "stop", name)
    exit_code = run(LEFT, "docker", "inspect", "--format={{.State.ExitCode}}", name)
    assert exit_code == "0\n"
    run(LEFT, "docker", "rm", "--volumes", name)


def test_postgres_18_refuses_the_old_place(pair: None) -> None:
    old = ["--volume=/srv/old:/var/lib/postgresql/data", "--env=POSTGRES_PASSWORD=x"]
    assert "in 18+" in run(LEFT, "docker", "run", "--rm", *old, "postgres:18", status=1)


def test_failed_units_are_named(pair: None) -> None:
    unit = "[Service]\\nType=oneshot\\nExecStart=false\\n[Install]\\nWantedBy=multi-user.target\\n"
    place = "/etc/systemd/system/broken.service"
    run(RIGHT, "sh", "-c", f"printf '{unit}' > {place} && systemctl --quiet enable broken")
    error = machine("reboot", RIGHT, status=1)
    assert "these units failed: broken.service\n(hint: what it said: " in error
    run(RIGHT, "systemctl", "--quiet", "disable", "broken")


def test_a_name_is_taken_once(pair: None) -> None:
    assert f"'{RIGHT}' exists already and is running" in machine("boot", RIGHT, status=1)


def test_a_tree_that_is_booted_has_to_be_there(pair: None) -> None:
    assert "there is no folder /nowhere" in machine("boot", "mt-tree", "--tree=/nowhere", status=1)
    assert "there is no tree 'none'" in machine("boot", "mt-tree", "--tree=none", status=1)
