"""sockwake and its verbs. Imports lifecycle and what is before it, and nothing of service."""
