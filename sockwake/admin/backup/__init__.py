"""Backups of instances: made, listed, proven, deleted, and brought back."""
