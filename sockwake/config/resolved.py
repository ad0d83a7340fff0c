"""resolved.json of an instance: what compose makes of its files, and the image it is to have.

Written beside the files when they are baked into a tree, so that the machine needs no compose. It
counts as long as compose.yaml, but for its comments, and the values that it takes of instance.env
are the same. Nothing of the file "environment" is in it, whose values are secrets.
"""

from __future__ import annotations

import os

from sockwake.config import envfile
from sockwake.config.instance import Instance
from sockwake.errors import SockwakeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

# in place of what sockwake tells compose: an instance may be copied, renamed, and make its cluster
# beside its place
_STANDS_FOR = {
    "SOCKWAKE_NAME": "0sockwake-name0",
    "SOCKWAKE_ETC": "/0sockwake-etc0",
    "SOCKWAKE_BACKEND": "/0sockwake-backend0",
    "SOCKWAKE_DATA": "/0sockwake-data0",
}
TOLD = tuple(_STANDS_FOR)
_ESCAPES = {"n": "\n", "r": "\r"}


def stand_ins(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of compose, with words that stand for what is told to it.

    Not for the directory of the files, in which compose reads one: text_for() puts that right.
    """
    stands = {name: word for name, word in _STANDS_FOR.items() if name != "SOCKWAKE_ETC"}
    return {**environment, **stands}


def text_for(instance: Instance, config: dict[str, Any], name: str, digest: str) -> str:
    """The text of the file. config: what compose makes of the files with stand_ins().

    name, digest: of the image.
    """
    import json

    variables = environment_of(instance) or {}
    for service in config["services"].values():
        said = service.get("environment") or {}
        escaped = {key: value.replace("$", "$$") for key, value in variables.items()}
        own = {key: value for key, value in said.items() if escaped.get(key) != value}
        service["environment"] = own
    etc = json.dumps(instance.etc)[1:-1]
    text = json.dumps(config).replace(etc, _STANDS_FOR["SOCKWAKE_ETC"])
    kept = {
        "image": {"name": name, "digest": digest},
        "made_of": _made_of(instance),
        "config": json.loads(text),
    }
    return json.dumps(kept, indent=1, sort_keys=True) + "\n"


def config(instance: Instance, environment: Mapping[str, str]) -> dict[str, Any] | None:
    """What compose would make of the instance's files, or None when only compose can tell.

    environment: what compose would be told.
    """
    import json

    kept = _read(instance)
    if not kept:
        return None
    variables = environment_of(instance)
    try:
        if variables is None or kept["made_of"] != _made_of(instance):
            return None
        text = json.dumps(kept["config"])
        for name, word in _STANDS_FOR.items():
            text = text.replace(word, json.dumps(environment[name])[1:-1])
        found: dict[str, Any] = json.loads(text)
        for service in found["services"].values():
            escaped = {key: value.replace("$", "$$") for key, value in variables.items()}
            service["environment"] = escaped | service["environment"]
    except (ValueError, LookupError, TypeError, AttributeError, SockwakeError):
        return None
    return found


def image(instance: Instance) -> tuple[str, str]:
    """(name, digest) of the image that the instance is to have; ("", "") when none is said."""
    try:
        with open(instance.resolved_file, encoding="utf-8") as file:
            return said_of(file.read())
    except (OSError, ValueError):
        return "", ""


def said_of(text: str) -> tuple[str, str]:
    """The same, of the text of the file."""
    import json

    try:
        said = json.loads(text)["image"]
        return str(said["name"]), str(said["digest"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return "", ""


def environment_of(instance: Instance) -> dict[str, str] | None:
    """The variables in the file "environment", as sockwake-new writes it with --env.

    None when the file has anything else, which only compose reads rightly. {} without the file.
    """
    try:
        with open(instance.variables_file, encoding="utf-8", newline="") as file:
            lines = file.read().split("\n")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError):
        return None
    found = {}
    for line in filter(str.strip, lines):
        name, equals, value = line.partition("=")
        plain = _unquoted(value)
        is_name = name.isascii() and name.replace(".", "_").replace("-", "_").isidentifier()
        if not equals or not is_name or plain is None:
            return None
        found[name] = plain
    return found


def line_of(name: str, value: str) -> str:
    """A line of that file: KEY="VALUE", of which compose reads the value as it was."""
    escaped = {"\\": "\\\\", '"': '\\"', "$": "\\$", "\n": "\\n", "\r": "\\r"}
    return f'{name}="{"".join(escaped.get(each, each) for each in value)}"\n'


def _unquoted(text: str) -> str | None:
    """The value that line_of() has written, None when it has not."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return None
    found = ""
    letters = iter(text[1:-1])
    for letter in letters:
        if letter == "\\":
            following = next(letters, "")
            if following not in ("\\", '"', "$", *_ESCAPES):
                return None
            found += _ESCAPES.get(following, following)
        elif letter in '"$':
            return None
        else:
            found += letter
    return found


def _made_of(instance: Instance) -> dict[str, Any]:
    """What of the files compose makes something else of when it changes; raises SockwakeError."""
    import re
    from hashlib import sha256

    try:
        with open(instance.compose_file, encoding="utf-8", newline="") as file:
            written = file.read().split("\n")
        with open(instance.env_file, encoding="utf-8", newline="") as file:
            values = envfile.parse(file.read(), instance.env_file)
    except (OSError, UnicodeDecodeError) as error:
        raise SockwakeError(f"cannot read the files of '{instance.name}': {error}") from None
    text = "\n".join(line for line in written if not line.lstrip().startswith("#"))
    used = sorted(set(re.findall(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)", text)) - _STANDS_FOR.keys())
    return {
        "compose": sha256(text.encode()).hexdigest(),
        "variables": {name: values.get(name) for name in used},
        "environment": os.path.exists(instance.variables_file),
    }


def _read(instance: Instance) -> Any:
    import json

    try:
        with open(instance.resolved_file, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError, RecursionError):
        return None
