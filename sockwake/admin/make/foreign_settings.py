"""Settings of a cluster that has come from elsewhere, which only make sense where it was.

They name places that are not here, or servers that it is none of any more: a commit would wait for
a standby for ever, and the write-ahead log for its archive. They become comments, in the copy
alone. What sockwake says in the command of the server, such as listen_addresses, counts anyway.
"""

import os
import re
from collections.abc import Iterator

from sockwake.system import files

_LONGEST = 4 << 20  # characters
_NO_SETTINGS = ("pg_hba.conf", "pg_ident.conf")
_NAMES = (
    "archive_cleanup_command archive_command archive_library archive_mode cluster_name config_file "
    "data_directory external_pid_file hba_file ident_file log_destination "
    "log_directory logging_collector port primary_conninfo primary_slot_name promote_trigger_file "
    "recovery_end_command recovery_min_apply_delay recovery_target recovery_target_action "
    "recovery_target_inclusive recovery_target_lsn recovery_target_name recovery_target_time "
    "recovery_target_timeline recovery_target_xid restore_command ssl ssl_ca_file ssl_cert_file "
    "ssl_crl_file ssl_key_file stats_temp_directory synchronized_standby_slots "
    "synchronous_standby_names unix_socket_directories unix_socket_group unix_socket_permissions"
).split()
_LINE = re.compile(rf"(?im)^[ \t]*({'|'.join(_NAMES)})(?=[ \t=])")
_MARK = "# left out by sockwake-new --from: "


def leave_out(cluster: str) -> list[str]:
    """Make comments of them in all configuration files of a cluster; returns their names."""
    found: set[str] = set()
    for path in _configuration(cluster):
        text = files.read_plain(path, _LONGEST)
        names = _LINE.findall(text)
        if names:
            was = os.stat(path)
            changed = _LINE.sub(rf"{_MARK}\1", text)
            files.replace(path, was.st_mode & 0o777, changed, was.st_uid)
            found |= {name.lower() for name in names}
    return sorted(found)


def _configuration(cluster: str) -> Iterator[str]:
    for name in sorted(os.listdir(cluster)):
        path = f"{cluster}/{name}"
        if name.endswith(".conf") and name not in _NO_SETTINGS and not os.path.islink(path):
            yield path
