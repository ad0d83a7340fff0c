"""Verbs that get at what is in an instance: its address, its log, a shell, its password."""
