"""What is to be seen of instances that are forwarded: for status, and for sockwake forward."""

from __future__ import annotations

from collections.abc import Sequence

from sockwake.admin import columns, inventory
from sockwake.admin.each import try_each
from sockwake.config import forwarding as forwardings
from sockwake.config import similar
from sockwake.config.forwarding import Forwarding
from sockwake.config.instance import Instance, Name
from sockwake.errors import SockwakeError
from sockwake.lifecycle import targets

_TITLES = ("NAME", "TARGET", "SHOWS", "CHECK")


def facts(forwarding: Forwarding) -> dict[str, object]:
    """ "check", and "targets": each with its "target" and what it "shows", asked for now."""
    shown = [{"target": str(target), "shows": word} for target, word in targets.look(forwarding)]
    return {"check": str(forwarding.check), "targets": shown}


def rows(names: Sequence[Name]) -> tuple[list[dict[str, object]], SockwakeError | None]:
    """Every one of these instances that is forwarded: "name", and facts().

    And the error of the last whose file cannot be read, which is said by then; that of the only one
    is raised.
    """
    found: list[dict[str, object]] = []

    def add(name: Name) -> None:
        instance = Instance(name)
        if not inventory.exists(instance):
            raise similar.no_instance(name)
        if there := forwardings.of(instance):
            found.append({"name": name, **facts(there)})

    return found, try_each(names, add)


def table(shown: Sequence[dict[str, object]]) -> str:
    """The rows as text, a line for each target."""
    lines = [_TITLES]
    for row in shown:
        of_one = row["targets"]
        for each in of_one if isinstance(of_one, list) else ():
            lines.append((str(row["name"]), each["target"], each["shows"], str(row["check"])))
    return "\n".join(columns.aligned(lines))


def sentence(shown: object) -> str:
    """Where to, and what each shows, for sockwake status; "" when it is not forwarded.

    shown: facts(), or None.
    """
    if not isinstance(shown, dict):
        return ""
    return ", ".join(f"{each['target']} ({each['shows']})" for each in shown["targets"])
