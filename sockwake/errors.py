"""The one shape every error of sockwake has."""

DONE, FAILED, USAGE, EXISTS, IN_USE, UNKNOWN = 0, 1, 2, 3, 4, 5  # exit statuses, sockwake(8)


class SockwakeError(Exception):
    """Something the caller can be told in one sentence.

    message: the sentence, naming the value it is about, without a full stop.
    hint: what to do about it, or "".
    status: the exit status of a command that ends with it.
    """

    def __init__(self, message: str, hint: str = "", status: int = FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.status = status

    def __str__(self) -> str:
        hint = f"\n(hint: {self.hint})" if self.hint else ""
        return f"sockwake: error: {self.message}{hint}"
