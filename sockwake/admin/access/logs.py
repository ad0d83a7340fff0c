"""sockwake logs: what all units of instances have written to the journal, in order of time."""

from collections.abc import Sequence

from sockwake.config import schedule, scope
from sockwake.config.instance import Instance


def units(instance: Instance) -> list[str]:
    """Every unit that writes about an instance.

    The services of a compose project write as its backend, each under its own name.
    """
    return [
        instance.socket_unit,
        instance.proxy_unit,
        instance.backend_unit,
        f"{instance.check_unit}.service",
        f"pg-wanted@{instance.name}.service",
        instance.init_unit,
        *(f"pg-{what}@{instance.name}.service" for what in ("hours", "held", "expire")),
        *schedule.services(instance.name),
    ]


def command(
    instances: Sequence[Instance], *, follow: bool, since: str, until: str, lines: str, pager: bool
) -> list[str]:
    """The command line of journalctl(1) for the log of instances.

    Of a user's own it is not --user, which would read no journal that is the system's: one that is
    kept in memory alone has the messages of all users (SplitMode= in journald.conf(5)).
    """
    asked = {"--since": since, "--until": until, "--lines": lines}
    switches = [f"{flag}={value}" for flag, value in asked.items() if value]
    switches += ["--follow"] if follow else []
    switches += [] if pager else ["--no-pager"]
    by = "--user-unit" if scope.is_user() else "--unit"
    named = [f"{by}={unit}" for instance in instances for unit in units(instance)]
    return ["journalctl", *switches, *named]
