"""The generator's drop-ins of an instance that is forwarded: its proxy leads clients elsewhere."""

from pathlib import Path

import pytest

from env_file import COMMAND, CONTAINER, GOOD, NATIVE, PROJECT, text_of
from generator import GENERATOR, KINDS, places
from tree import run

OF_KINDS = {
    "postgres": GOOD,
    "crun": GOOD | {"RUNTIME": "crun", "TLS": "yes"},
    "host": GOOD | {"RUNTIME": "host"},
    "container": CONTAINER,
    "command": COMMAND | {"BACKEND_PORT": "8000"},
    "native": NATIVE,
    "project": PROJECT,
}


def generated(base: Path, keys: dict[str, str], *, scope: str, is_led: bool) -> dict[str, bytes]:
    """What the generator makes of one instance, with its hours."""
    etc, out = base / "etc/pg1", base / "out"
    etc.mkdir(parents=True)
    out.mkdir()
    (etc / "instance.env").write_text(text_of(keys, KEEP="Mon 08:00-18:00"))
    if is_led:
        (etc / "forward").write_text("TARGETS=10.0.0.1:5432\nCHECK=tcp\n")
    env = {**places(base), "SYSTEMD_SCOPE": scope, "HOME": "/home/user"}
    ran = run("sh", GENERATOR, *[str(out)] * 3, env=env)
    assert (ran.status, ran.stderr) == (0, "")
    return {
        str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize("scope", ["system", "user"])
@pytest.mark.parametrize("kind", OF_KINDS)
def test_its_proxy_has_the_drop_in_of_the_scope_and_none_of_its_kind(
    tmp_path: Path, kind: str, scope: str
) -> None:
    before = generated(tmp_path / "a", OF_KINDS[kind], scope=scope, is_led=False)
    led = generated(tmp_path / "b", OF_KINDS[kind], scope=scope, is_led=True)
    text = (KINDS / ("forward-user.conf" if scope == "user" else "forward.conf")).read_bytes()
    of_proxy = {path: each for path, each in led.items() if path.startswith("pg-proxy@")}
    assert of_proxy == {
        "pg-proxy@pg1.service.d/forward.conf": text,
        **{
            path: before[path]
            for path in (
                "pg-proxy@pg1.service.d/description.conf",
                "pg-proxy@pg1.socket.d/listen.conf",
            )
        },
    }
    others = {path: each for path, each in led.items() if path not in of_proxy}
    assert not any("pg-hours" in path for path in others)
    assert others == {
        path: each
        for path, each in before.items()
        if not path.startswith(("pg-proxy@", "pg-hours@"))
    }
