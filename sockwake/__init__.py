"""sockwake lets services sleep behind a systemd socket until a client connects."""
