"""The one door to other programs."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence

from sockwake.errors import SockwakeError


def run(argv: Sequence[str], *, env: Mapping[str, str] | None = None, show: bool = False, check: bool = True) -> str:
    """What argv printed on stdout, in the C locale, with stdin closed.

    env: added to ours. show: let it write to our stderr (a progress bar) and return "".
    Raises SockwakeError with the command and the last line it said, unless check is False.
    """
    try:
        done = subprocess.run(
            argv,
            env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=2 if show else subprocess.PIPE,
            stderr=None if show else subprocess.PIPE,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise SockwakeError(f"cannot run {argv[0]}: {(error.strerror or str(error)).lower()}") from None
    if check and done.returncode:
        raise SockwakeError(f"'{' '.join(argv)}' failed with status {done.returncode}{_last_words(done.stderr or done.stdout)}")
    return done.stdout or ""


def exists(program: str) -> bool:
    """Whether program can be found."""
    return shutil.which(program) is not None


def _last_words(said: str | None) -> str:
    lines = (said or "").strip().splitlines()
    return f": {lines[-1].strip()}" if lines else ""
