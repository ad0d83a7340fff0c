"""sockwake doctor: what is wrong with this machine and its instances, and what mends it."""
