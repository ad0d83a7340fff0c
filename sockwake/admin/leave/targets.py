"""Where an instance can go, and what each of these homes takes of it."""

from collections.abc import Sequence
from dataclasses import dataclass

SQL, COMPOSE, QUADLET, PATRONI, CNPG = "sql", "compose", "quadlet", "patroni", "cloudnative-pg"
MICROSERVICE, MONOLITH, SUBSCRIPTION = "microservice", "monolith", "subscription"
STANDBY, FILES = "standby", "files"


@dataclass(frozen=True)
class Target:
    """One home.

    name: as --to has it. title: for a sentence. same_image: whether the server's image goes along.
    by_files: whether the cluster's files do, and not SQL. whole: whether all databases and roles
    go. keeps_settings: whether the server's settings do.
    """

    name: str
    title: str
    same_image: bool = False
    by_files: bool = False
    whole: bool = True
    keeps_settings: bool = True
    methods: tuple[str, ...] = ()


TARGETS = {
    target.name: target
    for target in (
        Target(SQL, "another PostgreSQL", keeps_settings=False),
        Target(COMPOSE, "a compose project", same_image=True),
        Target(QUADLET, "a Quadlet of podman's", same_image=True),
        Target(PATRONI, "a Patroni cluster", by_files=True, methods=(STANDBY, FILES)),
        Target(CNPG, "CloudNativePG", methods=(MICROSERVICE, MONOLITH, SUBSCRIPTION)),
    )
}
# set by sockwake, or by where a server is: the next home has its own
_OF_THE_PLACE = (
    "config_file data_directory external_pid_file hba_file ident_file idle_session_timeout "
    "listen_addresses port unix_socket_directories unix_socket_group unix_socket_permissions "
    "ssl ssl_ca_file ssl_cert_file ssl_crl_file ssl_key_file log_timezone TimeZone DateStyle "
    "lc_messages lc_monetary lc_numeric lc_time default_text_search_config "
    "dynamic_shared_memory_type"
).split()
# what CloudNativePG's operator sets itself, and refuses from others
_OF_THE_OPERATOR = (
    "allow_system_table_mods archive_cleanup_command archive_command archive_mode bonjour "
    "bonjour_name cluster_name data_sync_retry event_source hot_standby jit_provider "
    "log_destination log_directory log_file_mode log_filename log_rotation_age log_rotation_size "
    "log_truncate_on_rotation logging_collector primary_conninfo primary_slot_name "
    "promote_trigger_file recovery_end_command recovery_min_apply_delay recovery_target "
    "recovery_target_action recovery_target_inclusive recovery_target_lsn recovery_target_name "
    "recovery_target_time recovery_target_timeline recovery_target_xid restart_after_crash "
    "restore_command shared_preload_libraries ssl_dh_params_file ssl_ecdh_curve "
    "ssl_passphrase_command ssl_passphrase_command_supports_reload ssl_prefer_server_ciphers "
    "stats_temp_directory synchronized_standby_slots synchronous_standby_names syslog_facility "
    "syslog_ident syslog_sequence_numbers syslog_split_messages temp_tablespaces"
).split()
# what Patroni takes from its configuration store or makes itself
_OF_PATRONI = (
    "cluster_name hot_standby primary_conninfo primary_slot_name recovery_target restore_command"
).split()


def settings_for(target: Target, settings: dict[str, str]) -> dict[str, str]:
    """Those of the server's settings that the target takes, by their names."""
    without = {CNPG: _OF_THE_OPERATOR, PATRONI: _OF_PATRONI}.get(target.name, [])
    left_out = {*_OF_THE_PLACE, *without}
    return {name: settings[name] for name in sorted(settings) if name not in left_out}


def not_taken(target: Target, settings: dict[str, str]) -> Sequence[str]:
    """The names of settings that the target refuses, though they are the user's own."""
    kept = settings_for(target, settings)
    return sorted({*settings} - {*kept} - {*_OF_THE_PLACE, "shared_preload_libraries"})
