"""What /etc/sockwake/NAME says, and where an instance has its files. Imports errors, kinds and protocol."""
