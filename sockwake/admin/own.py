"""A user's own images and containers, whose files are of a user namespace."""

from argparse import Namespace


def enter(arguments: Namespace) -> None:
    """Enter the user namespace that owns those files, for a verb with --user."""
    if arguments.user:
        from sockwake.engine import rootless

        rootless.enter()
