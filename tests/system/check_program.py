"""A check of the tests' own: a program of sh that notes how often it is asked."""

from __future__ import annotations

from pathlib import Path

from moment import until


class CheckProgram:
    """The program, which can be changed while it is in use. What its body writes goes to folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "check"
        folder.mkdir()

    def __call__(self, body: str) -> str:
        """Make it do this from the next time on; returns its path."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text(f"#!/bin/sh\ncd {self.folder}; echo asked >>asked\n{body}\n")
        fresh.chmod(0o755)
        fresh.rename(self.path)
        return str(self.path)

    def asked(self) -> int:
        """How often it was."""
        noted = self.folder / "asked"
        return noted.read_text().count("asked") if noted.exists() else 0

    def await_asked(self, times: int) -> None:
        """Wait until it was asked so often from now on."""
        target = self.asked() + times
        until(f"it is asked {times} times", lambda: self.asked() >= target)

    def await_note(self, name: str) -> None:
        """Wait until its body has written a file."""
        until(f"there is {name}", (self.folder / name).exists)
