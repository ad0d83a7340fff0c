"""What systemd has read of an instance, and what it would read now: the generator's drop-ins."""

import os
from collections.abc import Mapping, Sequence

from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.system import files, process, procnet

_GENERATOR = "/usr/lib/systemd/system-generators/sockwake-generator"
_STREAM = "ListenStream="


def read(instance: Instance) -> dict[str, str]:
    """The drop-ins that the last daemon-reload has made: UNIT.d/FILE to its text."""
    base = scope.runtime() if scope.is_user() else "/run"
    return _texts(f"{base}/systemd/generator", instance)


def wanted(instance: Instance, texts: Mapping[str, str]) -> dict[str, str]:
    """Those that a daemon-reload would make now. texts: of files, instead of those that are there.

    The generator runs on a copy of this instance alone.
    """
    import tempfile  # 15 ms

    with tempfile.TemporaryDirectory() as work:
        etc, out = f"{work}/etc", f"{work}/out"
        os.makedirs(f"{etc}/{instance.name}")
        os.mkdir(out)
        for name in os.listdir(instance.etc):
            if name not in texts:
                os.symlink(f"{instance.etc}/{name}", f"{etc}/{instance.name}/{name}")
        for name, text in texts.items():
            files.write_new(f"{etc}/{instance.name}/{name}", 0o600, text)
        _generate(etc, out)
        return _texts(out, instance)


def wanted_of_all(instances: Sequence[Instance]) -> dict[str, dict[str, str]]:
    """Those of several instances with their files as they are, by the names of these."""
    import tempfile

    with tempfile.TemporaryDirectory() as out:
        _generate(scope.etc(), out)
        return {each.name: _texts(out, each) for each in instances}


def _generate(etc: str, out: str) -> None:
    """Run the generator on all instances in a directory."""
    of_user = {"SYSTEMD_SCOPE": "user"} if scope.is_user() else {}
    process.run([_GENERATOR, out, out, out], env={"SOCKWAKE_ETC": etc, **of_user})


def streams(drop_ins: Mapping[str, str], instance: Instance) -> tuple[tuple[str, int], ...]:
    """The places at which drop-ins have the socket listen; the port of a unix socket is 0."""
    found = []
    for line in listening(drop_ins, instance).splitlines():
        if not line.startswith(_STREAM):
            continue
        item = line.removeprefix(_STREAM)
        host, _, port = item.rpartition(":")
        found.append((item, 0) if item.startswith("/") else (host.strip("[]"), int(port)))
    return tuple(found)


def listening(drop_ins: Mapping[str, str], instance: Instance) -> str:
    """What they say of the socket."""
    text = drop_ins.get(f"{instance.socket_unit}.d/listen.conf", "")
    return text.partition("[Socket]\n")[2]


def all_open(settings: Settings) -> bool:
    """Whether some process listens at every place of an instance."""
    tables = procnet.Snapshot()
    for item, port in settings.places:
        if item.startswith("/"):
            if not any(tables.unix(item)):
                return False
            continue
        packed = procnet.octets(item)
        if not packed:
            continue
        host = procnet.written(packed)
        rows = (row[1].rpartition(":")[0] for row in procnet.listening(port, tables))
        if host not in rows:
            return False
    return True


def _texts(generated: str, instance: Instance) -> dict[str, str]:
    """All that was generated for an instance, by its path below the directory."""
    found: dict[str, str] = {}
    for folder in ("", *_folders(generated)):
        for path in _of_instance(generated, folder, instance):
            place = f"{generated}/{path}"
            below = os.listdir(place) if os.path.isdir(place) else []
            found |= {f"{path}/{name}": files.text_of(f"{place}/{name}") for name in below}
            if not os.path.isdir(place):
                found[path] = files.text_of(place)
    return found


def _folders(generated: str) -> list[str]:
    """The folders in which units are linked that another wants."""
    return [name for name in _names(generated) if name.endswith((".wants", ".requires"))]


def _of_instance(generated: str, folder: str, instance: Instance) -> list[str]:
    names = _names(f"{generated}/{folder}")
    return [f"{folder}/{each}".lstrip("/") for each in names if f"@{instance.name}." in each]


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []
