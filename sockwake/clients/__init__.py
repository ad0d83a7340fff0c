"""Who is connected to an instance, and who may be. Imports config, system and what is below them."""
