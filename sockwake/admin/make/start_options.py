"""The options of sockwake-new about the start of a server: what it is given, what it may take."""

from sockwake.admin import option_types as types
from sockwake.admin.option import FILES, Option
from sockwake.config import values
from sockwake.kinds.table import CRUN, ENGINE, HOST

_IN_CONTAINER = ("postgres", "container")

OPTIONS = (
    Option(
        "--runtime",
        "RUNTIME",
        "what wakes it: crun, without an engine; engine; or host, Debian's own server",
        type=types.runtime,
        group="how it is made",
        kinds=("postgres",),
        otherwise="crun; engine with --engine, --user, or a network that is an engine's",
        words=(CRUN, ENGINE, HOST),
    ),
    Option(
        "--start-timeout",
        "TIME",
        "how long its server may take to answer",
        type=types.start_timeout,
        group="how it is made",
        otherwise="90s",
        key="START_TIMEOUT",
    ),
    Option(
        "--env",
        "KEY=VALUE",
        "a variable of its environment; KEY alone takes the value it has here",
        type=types.variable,
        kinds=_IN_CONTAINER,
        repeatable=True,
    ),
    Option(
        "--env-file",
        "FILE",
        "a file of such variables, which is copied",
        kinds=_IN_CONTAINER,
        complete=FILES,
    ),
    Option(
        "--probe-host",
        "NAME",
        "the name that its server is asked for by HTTP",
        type=values.probe_host,
        kinds=("container", "command"),
        otherwise="localhost",
        key="PROBE_HOST",
    ),
)
