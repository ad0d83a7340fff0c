"""What an administrator runs: sockwake and its verbs. Imports lifecycle and what is below it, nothing of service."""
