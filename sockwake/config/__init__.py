"""Names and paths of an instance, and its instance.env. Imports errors, kinds and protocol."""
