"""The files of an instance under another name."""

import re

from sockwake.config.instance import Instance
from sockwake.kinds.table import COMPOSE, SERVICE

_TEXTS = ("instance.env", COMPOSE, SERVICE)
_NEXT = r"(?![a-z0-9-])"  # what does not follow a name that has ended


def text_for(file: str, text: str, old: Instance, new: Instance) -> str:
    """The text of a file of the one as the other's is to be: comments, and places of its own.

    The line DATA= stays as it is.
    """
    if file not in _TEXTS:
        return text
    comment = re.compile(rf"^(\s*#.*?(?<![a-z0-9-])){old.name}{_NEXT}", re.MULTILINE)
    while (named := comment.sub(rf"\g<1>{new.name}", text)) != text:
        text = named
    if file != SERVICE:
        return text
    text = re.sub(rf"/run/sockwake-{old.name}(?=[/\s\"]|$)", f"/run/sockwake-{new.name}", text)
    return with_place(text, old.data, new.data)


def with_place(text: str, old: str, new: str) -> str:
    """The text of a unit with another data directory, and what is in it."""
    return re.sub(rf"(?<![\w./-]){re.escape(old)}{_NEXT}", lambda _: new, text)


def with_name(path: str, old: str, new: str) -> str:
    """A path with a new name in place of the old one."""
    return re.sub(rf"(?<![a-z0-9-]){old}{_NEXT}", new, path)
