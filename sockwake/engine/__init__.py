"""The container engine: its API, its containers, compose. Imports system and what is before it."""
