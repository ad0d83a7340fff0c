"""sockwake runtime: what wakes each instance, and why."""

from collections.abc import Sequence

from sockwake.admin import columns, inventory
from sockwake.admin.each import try_each
from sockwake.admin.operands import names as names_of
from sockwake.admin.show import facts
from sockwake.config import scope
from sockwake.config.instance import Instance, Name
from sockwake.config.settings import ENGINES, load, load_if_valid
from sockwake.errors import USAGE, SockwakeError
from sockwake.kinds.table import CRUN, ENGINE
from sockwake.oci import names
from sockwake.system import files

RUNTIMES = (CRUN, ENGINE)
_PATIENCE = 30  # seconds for compose


def operands(words: Sequence[str], *, all_of_them: bool, root: str) -> tuple[list[Name], str]:
    """The instances and the runtime that are named, "" for none.

    The last of several words, or the only one with --all, can be a runtime.
    """
    named, runtime = list(words), ""
    if named and named[-1] in RUNTIMES and (len(named) > 1 or all_of_them):
        runtime = named.pop()
    elif len(named) > 1:
        _require_no_engine(named[-1], root)
    if named and all_of_them:
        raise SockwakeError(
            "--all and names exclude each other",
            scope.command("sockwake runtime", "--all", "crun"),
            USAGE,
        )

    def has_choice(instance: Instance) -> bool:  # a program has none of these runtimes
        settings = load_if_valid(instance)
        return not (runtime and settings) or settings.is_container

    return names_of(named, root, or_all=True, fits=has_choice), runtime


def _require_no_engine(word: str, root: str) -> None:
    """Raise SockwakeError (usage) for the name of an engine in the place of a runtime."""
    if word in ENGINES and not inventory.exists(Instance(Name(word), root)):
        hint = "engine is one: ENGINE= says which engine that is"
        raise SockwakeError(f"'{word}' is no runtime", hint, USAGE)


def row(name: Name, root: str) -> dict[str, object]:
    """What wakes one instance: "name", what facts.runtime() has, "reason" and "interrupted"."""
    from sockwake.lifecycle import needs_engine

    instance = Instance(name, root)
    settings = load(instance)
    return {
        "name": name,
        **facts.runtime(instance, settings),
        "reason": needs_engine.told(instance, settings, patience=_PATIENCE) or None,
        "interrupted": bool(files.text_of(instance.moving_file)),
    }


def rows(
    of: list[Name], root: str, *, only_valid: bool
) -> tuple[list[dict[str, object]], SockwakeError | None]:
    """The rows of instances, and the last error of those that cannot be told, which are said.

    only_valid: leave out those with an invalid instance.env. Raises the error of the only one.
    """
    found: list[dict[str, object]] = []

    def one(name: Name) -> None:
        found.append(row(name, root))

    meant = [name for name in of if not only_valid or load_if_valid(Instance(name, root))]
    return found, try_each(meant, one)


def table(shown: list[dict[str, object]]) -> str:
    """The rows as text, in columns."""
    cells = [(str(each["name"]), *_name_and_reason(each)) for each in shown]
    return "\n".join(columns.aligned([("NAME", "RUNTIME", "WHY"), *cells]))


def words(shown: dict[str, object]) -> str:
    """What wakes an instance, for sockwake status. shown: what status.of() says."""
    name, why = _name_and_reason(shown | {"reason": shown["runtime_reason"]})
    return f"{name}: {why}" if why else name


def _name_and_reason(shown: dict[str, object]) -> tuple[str, str]:
    name, why = str(shown["runtime"]), str(shown["reason"] or "")
    if shown["engine"]:
        name = str(shown["engine"])
    if digest := shown["image_digest"]:
        why = f"image {names.short(str(digest))}"
    if shown.get("interrupted"):
        finish = scope.command("sockwake runtime", f"{shown['name']}", f"{shown['runtime']}")
        why = f"its move was interrupted: {finish}"
    return name, why
