"""Images and containers without an engine. Imports system and what is before it."""
