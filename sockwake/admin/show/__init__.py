"""Verbs that look at instances, and wake and change none."""
