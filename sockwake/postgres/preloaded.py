"""Libraries that a server loads at its start: those whose jobs do not run while it sleeps."""

import re

_JOBS = frozenset(
    "citus pg_background pg_cron pg_net pg_partman_bgw pg_squeeze pg_wait_sampling pglogical "
    "powa repmgr timescaledb".split()
)
_SETTING = r"""shared_preload_libraries\s*=\s*["']?([\w$/., -]+)"""


def libraries(definition: str, configured: str) -> list[str]:
    """The names in a compose.yaml's command, which counts, or else in the cluster's files."""
    lines = [line for line in definition.splitlines() if not line.lstrip().startswith("#")]
    found = re.findall(_SETTING, "\n".join(lines))
    listed = found[-1] if found else configured
    return [name.strip().rpartition("/")[2] for name in listed.split(",") if name.strip()]


def with_jobs(names: list[str]) -> list[str]:
    """Those that are known to run jobs of their own."""
    return [name for name in names if name in _JOBS]
