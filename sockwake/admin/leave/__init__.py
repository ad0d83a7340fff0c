"""The way out: an instance as files for another home."""
