"""The generator, run on instances of a test's."""

import os
import re
from pathlib import Path

from env_file import env
from tree import SOURCE, Ran, run

KINDS = SOURCE / "sockwake/kinds"
KIND_DROP_INS = [
    (path.parent.name, path.name.removesuffix(".conf")) for path in KINDS.glob("*/*.conf")
]
GENERATOR = str(SOURCE / "systemd/sockwake-generator")
LOOK_BEFORE = (KINDS / "look-before.conf").read_bytes()
TCP_DROP_IN = (KINDS / "proxy-tcp.conf").read_bytes()

TITLE = (
    rb"(PostgreSQL( [A-Za-z0-9._-]+)? '[a-z0-9-]+'"
    rb"|Project '[a-z0-9-]+'"
    rb"|Container '[a-z0-9-]+'( \([A-Za-z0-9._/:@-]+\))?"
    rb"|Program '[a-z0-9-]+' \([a-z0-9-]+\))"
)
STREAM = (
    rb"ListenStream=(/[A-Za-z0-9._/:@+-]*|[0-9a-fA-F.]+:[0-9]{1,5}|\[[0-9a-fA-F.:]+\]:[0-9]{1,5})\n"
)
FILTER = rb"(IPAddressDeny=any\nIPAddressAllow=( [0-9a-fA-F.:/]+)+\n)?(DeferAcceptSec=60\n)?"
OWNER = rb"(SocketUser=[A-Za-z0-9_.-]+\n)?(SocketMode=0[0-7]{3}\n)?"
HEAD = rb"\[Unit\]\nDescription=Port of " + TITLE + rb"\n\[Socket\]\n"
DROP_IN = re.compile(HEAD + rb"(" + STREAM + rb")+" + FILTER + OWNER)
DESCRIPTION = re.compile(
    rb"\[Unit\]\nDescription=(Proxy of |Idle check of |Start condition of )?" + TITLE + rb"\n"
)
# the units that every instance has, with what systemctl calls each
DESCRIBED = {
    "pg-proxy@{}.service": "Proxy of ",
    "pg-postgres@{}.service": "",
    "pg-check@{}.service": "Idle check of ",
}


RUNTIMES = {
    name: (SOURCE / f"sockwake/runtimes/{name}/pg-postgres@.service.conf").read_bytes()
    for name in ("crun", "engine", "host")
}
RUNTIMES["crun container"] = (
    RUNTIMES["crun"] + (SOURCE / "sockwake/runtimes/crun/container.conf").read_bytes()
)

WANTED_BY_HOST = (SOURCE / "sockwake/runtimes/host/pg-wanted@.service.conf").read_bytes()


def drop_ins(name: str, title: str, listen: bytes, runtime: str = "engine") -> dict[str, bytes]:
    """Those of an instance of no special kind; listen: the lines for its socket."""
    head = f"[Unit]\nDescription=Port of {title}\n[Socket]\n".encode()
    made = {
        f"pg-proxy@{name}.socket.d/listen.conf": head + listen,
        f"pg-postgres@{name}.service.d/runtime.conf": RUNTIMES[runtime],
    }
    for unit, says in DESCRIBED.items():
        text = f"[Unit]\nDescription={says}{title}\n"
        made[f"{unit.format(name)}.d/description.conf"] = text.encode()
    return made


GOOD_DROP_IN = drop_ins(
    "good", "PostgreSQL 18 'good'", b"ListenStream=127.0.0.1:25432\nDeferAcceptSec=60\n"
)


def places(base: Path) -> dict[str, str]:
    """Where the generator finds instances and kinds."""
    return {"SOCKWAKE_ETC": str(base / "etc"), "SOCKWAKE_SHARE": str(SOURCE)}


def generate(
    base: Path, files: dict[bytes, bytes], shell: str = "dash"
) -> tuple[Ran, dict[str, bytes]]:
    """Run the generator on {directory: instance.env}; how it ended, and every file it wrote."""
    (base / "etc").mkdir(parents=True)
    (base / "out").mkdir()
    for name, text in files.items():
        directory = os.path.join(os.fsencode(base / "etc"), name)
        os.mkdir(directory)
        with open(os.path.join(directory, b"instance.env"), "wb") as file:
            file.write(text)
    out = str(base / "out")
    ran = run(shell, GENERATOR, out, out, out, env=places(base))
    made = {
        str(path.relative_to(base / "out")): path.read_bytes()
        for path in (base / "out").rglob("*")
        if path.is_file()
    }
    assert made.pop("pg-wanted@bad.service.d/runtime.conf", WANTED_BY_HOST) == WANTED_BY_HOST
    return ran, made


def streams(files: dict[str, bytes], name: str = "pg1") -> list[str]:
    """The addresses in an instance's drop-in."""
    return re.findall(
        r"^ListenStream=(.*)$",
        files[f"pg-proxy@{name}.socket.d/listen.conf"].decode(),
        re.MULTILINE,
    )


def socket_lines(files: dict[str, bytes], name: str) -> bytes:
    """What an instance's drop-in says in [Socket]."""
    return files[f"pg-proxy@{name}.socket.d/listen.conf"].partition(b"[Socket]\n")[2]


def require_refused(base: Path, text: str) -> None:
    """Require that this instance.env leads to a complaint, and leaves its neighbour alone."""
    ran, files = generate(base, {b"bad": text.encode(), b"good": env().encode()})
    keys = "ALLOW, KIND, LISTEN, PORT, PORTS, SOCKET_USER or SOCKET_MODE"
    complaint = f"{keys} cannot be used, so pg-proxy@bad.socket will not start"
    assert ran.status == 0
    assert ran.stderr == f"sockwake-generator: {base}/etc/bad/instance.env: {complaint}\n"
    assert files == GOOD_DROP_IN
