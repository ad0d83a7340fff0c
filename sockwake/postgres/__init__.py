"""A cluster of PostgreSQL: its files, its password, its server. Imports config, system and what is below them."""
