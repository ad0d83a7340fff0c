"""The images of containers that are woken without an engine."""
