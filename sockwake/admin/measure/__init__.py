"""Verbs that measure instances by what the journal and the kernel tell, and wake none."""
