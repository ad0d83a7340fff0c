"""Where packages come from: the host's own apt configuration, never a name written here."""

from __future__ import annotations

import re
import subprocess

from failure import Failure

# What the host needed to reach its mirror, a tree's apt needs as well.
PASSED_ON = re.compile(
    r"^Acquire::(Check-Valid-Until|Check-Date|ForceIPv[46]|Retries|(https?|ftp|Max-)[^ ]*) ",
    re.IGNORECASE,
)

_FORMAT = "$(REPO_URI)|$(LABEL)|$(RELEASE)|$(COMPONENT)|$(TRUSTED)"


def sources(suite: str) -> str:
    """The text of a sources.list that offers `suite` from the host's Debian mirror.

    `check-valid-until=no`: mirrors that lag, or are frozen on purpose, still serve.
    """
    return f"deb [check-valid-until=no] {debian_uri()} {suite} main\n"


def debian_uri() -> str:
    """The address of the host's mirror of the Debian archive itself."""
    targets = [line.split("|") for line in _output("apt-get", "indextargets", "--format", _FORMAT)]
    found = [t for t in targets if len(t) == 5 and t[3] == "main" and "-" not in t[2]]
    labelled = [t[0] for t in found if t[1] == "Debian"]
    # Before the first `apt-get update` a target has no label; the path is the next best sign.
    named = [t[0] for t in found if t[0].rstrip("/").endswith("/debian")]
    for uri in [*labelled, *named]:
        return uri
    raise Failure(
        "this host's apt configuration names no mirror of Debian",
        "add one to /etc/apt/sources.list.d and run apt-get update",
    )


def options() -> list[str]:
    """Lines of apt configuration the host needs to reach its mirror (proxies, date checks)."""
    lines = _output("apt-config", "dump")
    return [line for line in lines if PASSED_ON.match(line) and not line.endswith('"";')]


def _output(*argv: str) -> list[str]:
    done = subprocess.run(
        argv, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise Failure(f"'{' '.join(argv)}' failed: {done.stderr.strip()}")
    return done.stdout.splitlines()
