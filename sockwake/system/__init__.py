"""The kernel, systemd and other programs. Imports errors, and of config only scope."""
