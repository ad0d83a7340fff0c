"""The options of sockwake-new about what an instance may use of the machine."""

from sockwake.admin.option import Option
from sockwake.config import limits
from sockwake.kinds.table import KINDS

_LIMITS = "what it may use"
_OF_THE_BACKEND = tuple(kind for kind in KINDS if limits.suits(limits.MEMORY, kind))
_OF_THE_PROXY = tuple(kind for kind in KINDS if limits.suits(limits.MAX_CLIENTS, kind))

OPTIONS = (
    Option(
        "--memory",
        "SIZE",
        "how much memory it may use, as in 512M, and as much swap again",
        type=limits.memory,
        group=_LIMITS,
        kinds=_OF_THE_BACKEND,
        otherwise="no limit",
        key=limits.MEMORY,
    ),
    Option(
        "--cpus",
        "N",
        "how many processors it may use, as in 1.5",
        type=limits.cpus,
        group=_LIMITS,
        kinds=_OF_THE_BACKEND,
        otherwise="no limit",
        key=limits.CPUS,
    ),
    Option(
        "--pids",
        "N",
        "how many processes and threads it may have",
        type=limits.pids,
        group=_LIMITS,
        kinds=_OF_THE_BACKEND,
        otherwise="systemd's own limit, or the engine's",
        key=limits.PIDS,
    ),
    Option(
        "--max-clients",
        "N",
        "how many clients may be connected at a time",
        type=limits.max_clients,
        group=_LIMITS,
        kinds=_OF_THE_PROXY,
        otherwise="10000",
        key=limits.MAX_CLIENTS,
    ),
)
