"""sockwake-new: from options to an instance that has been tried out."""
