"""The clients of an instance, and which may connect. Imports config, system and what is below."""
