"""sockwake check: whether an image of a machine may be made of a tree, and what forbids it."""
