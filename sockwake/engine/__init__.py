"""The container engine: its API, its containers, compose. Imports config, system and what is below them."""
