"""The wire protocols, as far as a probe and a refusal need them. Imports only errors."""
