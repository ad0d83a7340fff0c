"""The version, which debian/changelog alone knows."""

import os

from sockwake.system import process

_CHANGELOG = os.path.join(os.path.dirname(__file__), "..", "..", "debian", "changelog")


def find() -> str:
    """The version of the tree this runs in, or of the installed package."""
    if os.path.exists(_CHANGELOG):
        return process.run(
            ["dpkg-parsechangelog", "--file", _CHANGELOG, "--show-field", "Version"]
        ).strip()
    return process.run(["dpkg-query", "--show", "--showformat=${Version}", "sockwake"])
