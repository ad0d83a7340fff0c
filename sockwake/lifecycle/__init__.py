"""From asleep to awake and back. Imports engine, clients, postgres and what is below them."""
