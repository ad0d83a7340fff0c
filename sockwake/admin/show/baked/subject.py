"""What sockwake check looks at: a tree, and the instances in it."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from sockwake.admin import operands
from sockwake.admin.show.baked.tree import Tree
from sockwake.admin.show.doctor.finding import Finding, Patient
from sockwake.config import resolved, scope
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import Settings
from sockwake.errors import SockwakeError, reason
from sockwake.kinds.table import COMPOSE


class Baked(Patient):
    """A tree, or this machine, of which an image is made, and the chosen ones of its instances."""

    def __init__(self, tree: Tree, words: Sequence[str]) -> None:
        """words: names and wildcards; none for all, and the tree itself. Raises SockwakeError.

        missing: see operands.there().
        """
        self.tree = tree
        every = [*_instances(tree)]
        known = {each.name: each for each in every}
        names = operands.names(words, or_all=True, every=every)
        told, self.missing = operands.there(names, known.__contains__, f" in {self.where}")
        chosen = [known[name] for name in told]
        super().__init__(chosen, is_whole=not words, root=tree.root, every=every)
        self._compose: dict[str, Any] = {}

    def _load(self, instance: Instance) -> Settings:
        """Without following a link out of the tree; raises SockwakeError."""
        try:
            text = self.tree.read(f"{etc(instance)}/instance.env")
        except OSError as error:
            raise SockwakeError(f"cannot read {instance.env_file}: {reason(error)}") from None
        return Settings(text, instance)

    def compose(self, instance: Instance) -> Any:
        """What compose.yaml of an instance says, None when that cannot be read."""
        if instance.name not in self._compose:
            self._compose[instance.name] = None
            with suppress(SockwakeError):
                self._compose[instance.name] = self.yaml(f"{etc(instance)}/{COMPOSE}")
        return self._compose[instance.name]

    def is_settled(self, instance: Instance) -> bool:
        """Whether what compose makes of its files is beside them, and the machine needs none."""
        files = (instance.resolved_file, instance.compose_file, instance.env_file)
        if not all(map(_is_plain, (*files, instance.variables_file))):
            return False  # no link is followed, and no pipe waited for
        self.tree.text(f"{etc(instance)}/environment")  # which root alone may read
        return resolved.config(instance, dict.fromkeys(resolved.TOLD, "")) is not None

    def yaml(self, path: str) -> Any:
        """A file of YAML in the tree; raises SockwakeError, and PermissionError."""
        from sockwake.engine import compose_inputs  # 30 ms

        try:
            return compose_inputs.parsed(self.tree.read(path))
        except PermissionError:
            raise
        except OSError as error:
            why = reason(error)
        except ValueError as error:
            why = str(error)
        raise SockwakeError(f"cannot read {self.tree.shown(path)}: {why}")

    def data(self, settings: Settings) -> str:
        """The data directory of an instance as the tree has it, "" when it keeps none."""
        return settings.data.removeprefix(self.tree.root)

    @property
    def where(self) -> str:
        """The tree for a sentence."""
        return self.tree.root or "this machine"


Check = Callable[[Baked], Iterable[Finding]]


def etc(instance: Instance) -> str:
    """The directory of an instance as the tree has it."""
    return f"{scope.etc()}/{instance.name}"


def _instances(tree: Tree) -> Iterator[Instance]:
    """Every instance in a tree, by name. Its directory is named by where it really is."""
    for entry in tree.names(scope.etc()):
        with suppress(SockwakeError):
            name = Name(entry)
            if tree.has(f"{scope.etc()}/{name}/instance.env"):
                place = tree.place(f"{scope.etc()}/{name}")
                yield Instance(name, tree.root, place)


def _is_plain(path: str) -> bool:
    """Whether there is a plain file, or nothing."""
    return not os.path.lexists(path) or (os.path.isfile(path) and not os.path.islink(path))


def has_secret_name(variable: str) -> bool:
    """Whether a variable is called like one with a secret in it, and not like the path of one."""
    name = variable.upper()
    words = ("PASSWORD", "PASSWD", "SECRET", "TOKEN", "API_KEY", "PRIVATE_KEY", "ACCESS_KEY")
    return any(word in name for word in words) and not name.endswith(("_FILE", "_PATH"))


def relative(path: str, directory: str) -> str:
    """A path below a directory, from there."""
    return os.path.relpath(path, directory)
