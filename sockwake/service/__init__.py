"""What systemd runs: a module for each program in bin. Imports lifecycle and what is below it."""
