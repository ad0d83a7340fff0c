"""Verbs that wake instances, put them to sleep and hold them awake."""
