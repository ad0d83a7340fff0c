"""The one shape every error of sockwake has."""

DONE, FAILED, USAGE, EXISTS, IN_USE, UNKNOWN = 0, 1, 2, 3, 4, 5  # exit statuses, sockwake(8)


class SockwakeError(Exception):
    """A failure that one sentence tells.

    message: the sentence, naming the value it is about, without a full stop. A client that has not
        logged in may read it. It may quote a name that another user has chosen: see shown().
    hint: what to do about it, or "".
    status: the exit status of a command that ends with it.
    said: what a program or a server said, or a line of a file. It may have a password in it: for
        the administrator alone.
    """

    def __init__(self, message: str, hint: str = "", status: int = FAILED, said: str = "") -> None:
        self.message = shown(message)
        self.said = shown(said)
        super().__init__(self.message)
        self.hint = hint
        self.status = status

    @property
    def whole(self) -> str:
        """The sentence, and what was said."""
        return f"{self.message}: {self.said}" if self.said else self.message

    def __str__(self) -> str:
        hint = f"\n(hint: {self.hint})" if self.hint else ""
        return f"sockwake: error: {self.whole}{hint}"


def failure(error: Exception) -> SockwakeError:
    """Any exception as a SockwakeError; only the text of an OSError is fit for clients."""
    if isinstance(error, SockwakeError):
        return error
    if isinstance(error, OSError):
        return SockwakeError(str(error))
    return SockwakeError(f"it failed with {type(error).__name__}", said=str(error))


def reason(error: OSError) -> str:
    """What the kernel says, for a sentence: "permission denied"."""
    return (error.strerror or str(error)).lower()


def shown(text: str) -> str:
    """text on one line, with control characters as escapes, which no terminal obeys."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
