"""The one shape of every error the machine reports."""

from __future__ import annotations


class Failure(Exception):
    """A sentence for the user that names the value at fault, and what to do about it."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        text = f"machine: error: {self.args[0]}"
        return f"{text}\n(hint: {self.hint})" if self.hint else text
