"""When a change of instance.env takes effect, by key."""

from __future__ import annotations

# what is needed: the next wake; that systemd reads its units anew before it, or at once; that the
# port is opened anew, which cuts clients; or another command, because it is more than a setting
WAKE, RELOAD, NOW, PORT, NEVER = "wake", "reload", "now", "port", "never"
EFFECTS = {
    "ALLOW": PORT,
    "BACKEND_PORT": RELOAD,
    "BACKUP": NOW,
    "CHECK": WAKE,
    "CHECK_EVERY": WAKE,
    "CLIENT_FIRST": PORT,
    "CPUS": RELOAD,
    "DATA": WAKE,
    "DB_NAME": WAKE,
    "DB_USER": WAKE,
    "ENGINE": WAKE,
    "IDLE": WAKE,
    "IMAGE": WAKE,
    "KEEP": NOW,
    "KEEP_BACKUPS": NOW,
    "KIND": NEVER,
    "LISTEN": PORT,
    "MAINTAIN": NOW,
    "MAX_CLIENTS": RELOAD,
    "MEMORY": RELOAD,
    "PIDS": RELOAD,
    "PORT": PORT,
    "PORTS": PORT,
    "PRESSURE": RELOAD,
    "PROBE_HOST": WAKE,
    "PROFILES": WAKE,
    "PROJECT": WAKE,
    "READY": PORT,
    "RUNTIME": NEVER,
    "SERVICE": WAKE,
    "SOCKET_MODE": PORT,
    "SOCKET_USER": PORT,
    "START_TIMEOUT": WAKE,  # of a native program, whose unit has it, RELOAD
    "TLS": RELOAD,
    "VERSION": WAKE,
}
# what two instances cannot have alike
OF_ONE = ("BACKEND_PORT", "DATA", "PORT", "PORTS", "PROJECT")
