"""The options of sockwake-new about a start: when, what it is given, what it may take."""

import os

from sockwake.admin import option_types as types
from sockwake.admin.make import limit_options, upkeep_options
from sockwake.admin.option import FILES, Option
from sockwake.config import values
from sockwake.config.settings import PRESSURES
from sockwake.kinds.table import CRUN, ENGINE, HOST

_IN_CONTAINER = ("postgres", "container")

OPTIONS = (
    Option(
        "--runtime",
        "RUNTIME",
        "what wakes it: crun, without an engine; engine; or host, Debian's own server",
        type=types.runtime,
        group="how it is made",
        kinds=("postgres", "container"),
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
        "--keep",
        "HOURS",
        "the hours in which it is kept awake, as in 'Mon..Fri 08:00-18:00'",
        type=types.keep,
        group="when it sleeps",
        otherwise="none",
        key="KEEP",
        plain=True,
    ),
    Option(
        "--pressure",
        "WORD",
        "while memory is short: start all the same, wait for it, or refuse clients",
        type=types.pressure,
        group="how it is made",
        otherwise="off",
        key="PRESSURE",
        words=PRESSURES,
    ),
    Option(
        "--password-file",
        "FILE",
        "the superuser's password, the one line of FILE, or of stdin for -",
        kinds=("postgres",),
        otherwise="a random one, or that of the credential sockwake.NAME.password",
        complete=FILES,
    ),
    Option(
        "--from",
        "PATH",
        "a dump or a base backup that it begins with",
        type=os.path.abspath,
        kinds=("postgres",),
        complete=FILES,
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
        "--image-archive",
        "FILE",
        "an archive, OCI's or docker's, with the image to put into the tree of --root",
        kinds=("postgres", "container", "project"),
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
    *limit_options.OPTIONS,
    *upkeep_options.OPTIONS,
)
