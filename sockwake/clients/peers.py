"""Who the clients of an instance are: their addresses, and those of this machine by program."""

import re

from sockwake.clients import connections
from sockwake.config.settings import Settings
from sockwake.system import process

_PROGRAM = re.compile(r'users:\(\("([^"]*)",pid=(\d+)')


def described(settings: Settings) -> list[str]:
    """Each connection, as in "127.0.0.1:40112 (psql, process 711)" or "a local client"."""
    programs = _programs(settings)
    found = []
    for each in sorted(connections.each(settings)):
        is_unix = each.isdigit()
        program = programs.get(each, "")
        found.append("a local client" if is_unix else f"{each} ({program})" if program else each)
    return found


def _programs(settings: Settings) -> dict[str, str]:
    """The programs of this machine that have connections to the ports, by their own address."""
    found = {}
    for port in sorted({port for item, port in settings.places if not item.startswith("/")}):
        argv = ["ss", "--no-header", "--oneline", "--tcp", "--numeric", "--processes"]
        said = process.run([*argv, "state", "connected", "dport", "=", f":{port}"], check=False)
        for line in said.splitlines():
            words, match = line.split(), _PROGRAM.search(line)
            if match and len(words) > 3:
                found[words[3]] = f"{match[1]}, process {match[2]}"
    return found
