"""A PostgreSQL cluster: its files, password and server. Imports system and what is before it."""
