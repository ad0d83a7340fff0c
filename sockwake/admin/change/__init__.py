"""Verbs that change instances there are, or remove them."""
