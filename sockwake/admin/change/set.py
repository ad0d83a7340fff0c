"""sockwake set: change lines of instance.env, checked as a whole, and have them take effect."""

from collections.abc import Mapping, Sequence

from sockwake.admin import inventory
from sockwake.admin.change import drop_ins, lines, pending, validate
from sockwake.admin.show import exposure
from sockwake.config import effects, scope
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings
from sockwake.errors import FAILED, USAGE, SockwakeError
from sockwake.kinds.table import KINDS
from sockwake.oci import bundle, store
from sockwake.system import files, systemctl

_FIXED = {
    "KIND": "an instance of another kind is made by sockwake-new",
    "RUNTIME": "sockwake runtime NAME crun, or engine, has another wake it",
}


class Change:
    """A new instance.env of one instance, or another file of its, which is whole and valid.

    Held by the caller. name: of the file. Raises SockwakeError when it cannot be used.
    """

    def __init__(self, instance: Instance, name: str, old: str, new: str) -> None:
        self.instance = instance
        self._path = f"{instance.etc}/{name}"
        self._name = name
        self._old = old
        self._new = new
        is_env = name == "instance.env"
        self._keys = validate.changed_keys(old, new) if is_env else []
        for key in self._keys:
            if effects.EFFECTS.get(key) == effects.NEVER:
                raise SockwakeError(f"{key} is more than a setting", _FIXED[key], USAGE)
        if "ENGINE" in self._keys:
            _require_no_container(instance, old)
        text = new if is_env else files.text_of(instance.env_file)
        is_open = open_places(instance, old if is_env else text)
        self.settings = validate.require_valid(instance, text, self._keys, is_open)
        texts = {name: new} if new != old else {}
        self.pending = pending.look(instance, self.settings, texts)

    @property
    def diff(self) -> str:
        return lines.diff(self._path, self._old, self._new)

    def make(self, *, force: bool, quiet: bool) -> str:
        """Write it, and have it take effect; returns what was done, as a sentence.

        Raises SockwakeError with the file as it was.
        """
        name = self.instance.name
        pending.require_harmless(self.instance, self.pending, force=force)
        if self._new == self._old and not self.pending:
            return f"{name} has this already"
        try:
            _write(self._path, self._new)
            pending.do(self.instance, self.settings, self.pending, quiet=quiet)
        except BaseException:
            self._go_back()
            raise
        return "; ".join([f"changed {name}", *self.effects()])

    def _go_back(self) -> None:
        """Have the file as it was, and systemd with it."""
        if self._new == self._old:
            return
        _write(self._path, self._old)
        if not self.instance.root and systemctl.is_running():
            systemctl.reload()
            if self.pending.hours:
                pending.look_at_hours(self.instance)
            if self.pending.reopen:
                systemctl.restart(self.instance.socket_unit)

    def effects(self) -> list[str]:
        """When what was changed takes effect, each as the end of a sentence."""
        now = [key for key in self._keys if effects.EFFECTS.get(key) == effects.PORT]
        at_once = [key for key in self._keys if effects.EFFECTS.get(key) == effects.NOW]
        later = [key for key in self._keys if key not in (*now, *at_once)]
        if self._name != "instance.env":
            later = [self._name]
        said = []
        if self.pending.is_open and not self.pending.reopen:
            # the socket stays, and what is behind it is new
            now, later = [], sorted([*now, *later])
        if now and self.pending.reopen:
            cut = f", which cut {pending.counted(self.pending.clients)}"
            said.append(f"{_listed(now)} now{cut if self.pending.clients else ''}")
        elif now:
            said.append(f"{_listed(now)} as soon as its port is open")
        if at_once:
            said.append(f"{_listed(at_once)} now")
        if later:
            said.append(f"{_listed(later)} at the next wake")
        return said + self._notes()

    def _notes(self) -> list[str]:
        """What an administrator has to know beside it."""
        said = []
        written_out = {"BACKEND_PORT", "DATA", "READY"} & set(self._keys)
        definition = KINDS[self.settings.kind].definition_for(self.settings.runtime)
        if written_out and definition == "service.conf":
            edit = scope.command("sockwake edit", "--unit", self.instance.name)
            said.append(f"{_listed(written_out)} is in service.conf, too: {edit}")
        elif "BACKEND_PORT" in self._keys:
            said.append(_of_backend_port(self.instance, self.settings))
        if "TLS" in self._keys:
            file = "--unit" if definition == "service.conf" else "--compose"
            edit = scope.command("sockwake edit", file, self.instance.name)
            said.append(f"the server's own listen_addresses and ssl are in its definition: {edit}")
        if {"DB_USER", "DB_NAME"} & set(self._keys):
            said.append("the cluster has the user and the database that it was made with")
        return said

    def warnings(self) -> str:
        """What other machines can do from now on, for stderr; "" when that is not touched."""
        if not {"ALLOW", "LISTEN", "PORTS", "TLS"} & set(self._keys):
            return ""
        return exposure.aloud(self.instance, self.settings, [])


def _of_backend_port(instance: Instance, settings: Settings) -> str:
    """That only a wake tells whether the server of a container is there; what its image says."""
    if not settings.backend_port:
        return "its server has to make its unix socket in SOCKWAKE_BACKEND"
    digest = bundle.image_of(instance) if settings.is_bundled else ""
    image = store.find(digest, instance.root) if digest else None
    exposed = [*((image and image.config.get("ExposedPorts")) or {})]
    said = f"its server has to listen on port {settings.backend_port} in its container"
    if exposed and f"{settings.backend_port}/tcp" not in exposed:
        said += f", and its image says {_listed(exposed)}"
    return said if instance.root else f"{said}: {scope.command('sockwake wake', instance.name)}"


def _require_no_container(instance: Instance, old: str) -> None:
    """Raise SockwakeError (usage) when an engine wakes it, which has its container and volumes."""
    try:
        before = Settings(old, instance)
    except SockwakeError:
        return  # what was broken woke nothing
    if before.needs_engine:
        raise SockwakeError(
            f"{before.engine} has the container of '{instance.name}'",
            f"{scope.command('sockwake rm', instance.name)} leaves its data, which "
            f"{scope.command('sockwake-new')} --engine adopts",
            USAGE,
        )


def open_places(instance: Instance, text: str) -> tuple[tuple[str, int], ...]:
    """Where an instance listens: as systemd has read it, and as its instance.env was."""
    try:
        said = Settings(text, instance).places
    except SockwakeError:
        said = ()
    if instance.root or not systemctl.is_running():
        return said
    return (*said, *drop_ins.streams(drop_ins.read(instance), instance))


def set_lines(
    name: Name, changes: Mapping[str, str], *, root: str, dry_run: bool, force: bool, quiet: bool
) -> tuple[str, str, str]:
    """Set keys of one instance; returns (difference, sentence, warnings).

    dry_run: only look whether that can be done. Raises SockwakeError with nothing changed.
    """
    with inventory.held(name, root) as instance:
        inventory.require_finished(instance)
        old = text_of(instance)
        change = _checked(instance, old, lines.changed(old, changes))
        if dry_run:
            pending.require_harmless(instance, change.pending, force=force)
            return change.diff, "; ".join([f"would change {name}", *change.effects()]), ""
        return change.diff, change.make(force=force, quiet=quiet), change.warnings()


def _checked(instance: Instance, old: str, new: str) -> Change:
    try:
        return Change(instance, "instance.env", old, new)
    except SockwakeError as error:
        status = USAGE if error.status == FAILED else error.status
        raise SockwakeError(error.message, error.hint, status, error.said) from None


def require_possible(names: Sequence[Name], changes: Mapping[str, str]) -> None:
    """Raise SockwakeError (usage) for what several instances cannot have alike."""
    if len(names) > 1 and (wrong := next((key for key in effects.OF_ONE if changes.get(key)), "")):
        raise SockwakeError(f"no two instances can have the same {wrong}", "name one", USAGE)


def text_of(instance: Instance) -> str:
    """instance.env as it is, also a broken one."""
    with open(instance.env_file, encoding="utf-8", errors="replace", newline="") as file:
        return file.read()


def _write(path: str, text: str) -> None:
    import os

    real = os.path.realpath(path)
    status = os.stat(real)
    files.replace(real, status.st_mode & 0o777, text)


def _listed(names: Sequence[str] | set[str]) -> str:
    *others, last = sorted(names)
    return f"{', '.join(others)} and {last}" if others else last
