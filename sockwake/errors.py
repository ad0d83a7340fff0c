"""The one shape that every error of sockwake has."""

# exit statuses, sockwake(8)
DONE, FAILED, USAGE, EXISTS, IN_USE, UNKNOWN, PENDING = 0, 1, 2, 3, 4, 5, 6
INTERRUPTED = 130


class SockwakeError(Exception):
    """An error that is told in one sentence.

    message: the sentence, naming the value it is about, without a full stop. Clients that have not
        logged in may read it. Names that another user has chosen are escaped in it.
    hint: what to do about it, or ""; it can have such names in it, too.
    status: the exit status of a command that ends with it.
    said: output of a program or a server, or a line of a file. It may have a password in it, and is
        for the administrator alone.
    """

    def __init__(self, message: str, hint: str = "", status: int = FAILED, said: str = "") -> None:
        self.message = shown(message)
        self.said = shown(said)
        super().__init__(self.message)
        self.hint = shown(hint)
        self.status = status

    @property
    def whole(self) -> str:
        """The sentence with what was said."""
        return f"{self.message}: {self.said}" if self.said else self.message

    @property
    def told(self) -> str:
        """The whole sentence, and the hint in a line behind it."""
        return f"{self.whole}\n(hint: {self.hint})" if self.hint else self.whole

    def __str__(self) -> str:
        return f"sockwake: error: {self.told}"


def reason(error: OSError) -> str:
    """Why a system call failed, for the end of a sentence, as in "permission denied"."""
    return (error.strerror or str(error)).lower()


def is_of_no_room(text: str) -> bool:
    """Whether what a program said tells of a full disk, or of a quota that is used up."""
    import errno  # late, as is what needs it: not in a wake
    import os

    return any(os.strerror(each) in text for each in (errno.ENOSPC, errno.EDQUOT))


def failure(error: Exception) -> SockwakeError:
    """Turn any error into one that may be told. Only the texts of OSError are known to be safe."""
    if isinstance(error, SockwakeError):
        return error
    if isinstance(error, OSError):
        what = f"cannot use {error.filename}: " if error.filename else ""
        return SockwakeError(f"{what}{reason(error)}")
    return SockwakeError(f"it failed with {type(error).__name__}", said=str(error))


def shown(text: str) -> str:
    """text on one line, with escapes for every control character."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
