"""What is asked of the kernel, of systemd and of other programs. Imports errors, and of config nothing but scope."""
