"""The one shape every error of sockwake has."""

DONE, FAILED, USAGE, EXISTS, IN_USE, UNKNOWN = 0, 1, 2, 3, 4, 5  # exit statuses, sockwake(8)


class SockwakeError(Exception):
    """Something the caller can be told in one sentence.

    message: the sentence, naming the value it is about, without a full stop. It may quote anybody, who must not write
        to a terminal, or a line of his own to a file, through it.
    hint: what to do about it, or "".
    status: the exit status of a command that ends with it.
    """

    def __init__(self, message: str, hint: str = "", status: int = FAILED) -> None:
        self.message = shown(message)
        super().__init__(self.message)
        self.hint = hint
        self.status = status

    def __str__(self) -> str:
        hint = f"\n(hint: {self.hint})" if self.hint else ""
        return f"sockwake: error: {self.message}{hint}"


def shown(text: str) -> str:
    """text on one line, with escapes for what a terminal would obey."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
