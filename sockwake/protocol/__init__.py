"""What clients and servers say on the wire, for a probe and a refusal. Imports nothing but errors."""
