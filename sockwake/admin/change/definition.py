"""Whether compose.yaml or service.conf of an instance can be used as it was edited."""

import os

from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.engine.api import Engine
from sockwake.engine.compose import Project
from sockwake.errors import SockwakeError
from sockwake.lifecycle import needs_engine
from sockwake.system import files, process, systemctl

_COMPLAINTS = (
    *("Failed to", "Unknown", "bad-setting", "Invalid", "Assignment outside", "Missing"),
    *("is not executable", "Neither a valid", "lacks"),
)


def require_possible(instance: Instance, settings: Settings, file: str, text: str) -> None:
    """Raise SockwakeError when the text cannot take the place of the file.

    In a tree, where no program of it runs, nothing is known.
    """
    if instance.root or not systemctl.is_running():
        return
    import tempfile

    with tempfile.TemporaryDirectory() as work:
        if file == os.path.basename(instance.compose_file):
            _require_compose(instance, settings, work, text)
        else:
            _require_unit(instance, work, text)


def _require_compose(instance: Instance, settings: Settings, work: str, text: str) -> None:
    for path in (instance.env_file, instance.variables_file):
        if os.path.exists(path):
            os.symlink(path, f"{work}/{os.path.basename(path)}")
    copy = Instance(instance.name, instance.root, work)
    files.write_new(copy.compose_file, 0o600, text)
    project = Project(copy, settings, Engine.of(settings))
    try:
        _, service = project.service(project.config())
    except SockwakeError as error:
        message = error.message.replace(copy.compose_file, instance.compose_file)
        raise SockwakeError(message, error.hint, error.status, error.said) from None
    if settings.is_bundled and (why := needs_engine.by_service(settings, service)):
        raise needs_engine.EngineNeededError(
            why, scope.command("sockwake runtime", instance.name, "engine")
        )


def _require_unit(instance: Instance, work: str, text: str) -> None:
    """Have systemd read the unit as it would be, without starting anything."""
    unit = f"{work}/{instance.backend_unit}"
    before = systemctl.run("cat", instance.backend_unit, check=False)
    if not before:
        return
    kept = [part for part in before.split("\n# /") if f"{instance.service_file}" not in part]
    files.write_new(unit, 0o644, "\n# /".join(kept) + f"\n{text}")
    aside: list[str] = []
    process.run(["systemd-analyze", "verify", "--man=no", unit], check=False, aside=aside)
    said = [line for line in "".join(aside).splitlines() if instance.backend_unit in line]
    if wrong := next((line for line in said if any(word in line for word in _COMPLAINTS)), ""):
        # without the number of a line, which is not one of the file's
        complaint = wrong.rpartition(f"{instance.backend_unit}:")[2].lstrip(" 0123456789:")
        raise SockwakeError("systemd cannot read service.conf", said=complaint)
