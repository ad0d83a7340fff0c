"""The files that a compose project is made of: an edit of one has the next wake make it anew.

compose tells what it made of them and not which they were, so they are looked for here: the compose
files, what these include and extend, `.env`, and the files that services name. A variable in
a path has the value that `.env` gives it; a path with any other is not followed.
"""

import importlib
import os
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

if (_OF_DEBIAN := "/usr/lib/python3/dist-packages") not in sys.path:
    sys.path.append(_OF_DEBIAN)  # python3-yaml: the programs that systemd runs start without it

from sockwake.engine.compose_project import DEFAULT_FILES, ComposeProject
from sockwake.system import safe_path

yaml: Any = importlib.import_module("yaml")  # Debian has no type stubs for it
_OVERRIDES = tuple(name.replace(".y", ".override.y") for name in DEFAULT_FILES)
_ASSIGNMENT = re.compile(
    r"""(?m)^\s*(?:export\s+)?([A-Za-z_]\w*)[ \t]*=[ \t]*(?:'([^'\n]*)'|"([^"\n]*)"|(.*))"""
)
_COMMENT = re.compile(r"(?:^|\s)#")
# ${A:-b} has a default, of one that is empty, too; ${A:?b} an error
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?:(:?)([-?])([^${}]*))?\})")
_MOST = 200  # files; a project of more is none that was written by hand


def _plain(loader: Any, tag: str, node: Any) -> Any:
    """The value behind one of compose's own tags: with !reset none, with !override as it stands."""
    if tag == "reset":
        return None
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else None


_Loader: Any = type("_Loader", (yaml.SafeLoader,), {})
_Loader.add_multi_constructor("!", _plain)


def parsed(text: str) -> Any:
    """What a compose file says, before compose fills anything in; raises ValueError."""
    try:
        return yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(" ".join(str(error).split())) from None


def inputs(project: ComposeProject) -> list[str]:
    """Absolute paths of the files a project is made of, whether they are there or not."""
    return list(dict.fromkeys(map(os.path.normpath, _as_named(project))))


def left_behind(project: ComposeProject) -> list[str]:
    """Those that a copy of its directory would not have: "../common.yaml", but not "/etc/x.env"."""
    by_its_place = (name for name in _as_named(project) if safe_path.is_in(name, project.directory))
    paths = list(dict.fromkeys(map(os.path.normpath, by_its_place)))
    return [
        path
        for path in paths
        if not safe_path.is_in(path, project.directory) and os.path.exists(path)
    ]


def _as_named(project: ComposeProject) -> list[str]:
    """Their paths as the files have them, absolute, with each ".."."""
    found: list[str] = [f"{project.directory}/.env"]
    known = _dotenv(found[0])
    names = project.files or _default_files(project)
    todo = [os.path.join(project.directory, name) for name in names]
    while todo and len(found) < _MOST:
        path = todo.pop(0)
        if path in found:
            continue
        found.append(path)
        definition = _read(path)
        directory = os.path.dirname(path)
        todo += [os.path.join(directory, name) for name in _further(definition, known)]
        found += [os.path.join(directory, name) for name in _beside(definition, known)]
    return found


def _default_files(project: ComposeProject) -> list[str]:
    """What compose reads when it is told no file; COMPOSE_FILE= in .env may say it."""
    try:
        with open(f"{project.directory}/.env", encoding="utf-8", errors="replace") as file:
            said = [
                line.partition("=")[2].strip() for line in file if line.startswith("COMPOSE_FILE=")
            ]
    except OSError:
        said = []
    if said:
        return said[-1].strip("\"'").split(":")
    return [
        name
        for name in (*DEFAULT_FILES, *_OVERRIDES)
        if os.path.exists(f"{project.directory}/{name}")
    ]


def _read(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            read = yaml.load(file, _Loader)
    except (OSError, yaml.YAMLError, ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def _further(definition: dict[str, Any], known: Mapping[str, str]) -> Iterator[str]:
    """The compose files that one includes and extends."""
    for each in _list(definition.get("include")):
        if isinstance(each, dict):
            yield from _paths(each.get("path"), known)
        else:
            yield from _paths(each, known)
    for service in _dict(definition.get("services")).values():
        yield from _paths(_dict(_dict(service).get("extends")).get("file"), known)


def _beside(definition: dict[str, Any], known: Mapping[str, str]) -> Iterator[str]:
    """The other files whose content it takes."""
    for each in _list(definition.get("include")):
        yield from _paths(_dict(each).get("env_file"), known)
    for service in _dict(definition.get("services")).values():
        for key in ("env_file", "label_file"):
            for each in _list(_dict(service).get(key)):
                yield from _paths(each.get("path") if isinstance(each, dict) else each, known)
    for key in ("secrets", "configs"):
        for each in _dict(definition.get(key)).values():
            yield from _paths(_dict(each).get("file"), known)


def _paths(value: Any, known: Mapping[str, str]) -> Iterator[str]:
    for each in _list(value):
        path = _filled(each, known) if isinstance(each, str) else ""
        if path and "$" not in path and "://" not in path:
            yield path


def _filled(text: str, known: Mapping[str, str]) -> str:
    """A text with its variables filled in as compose does; those that are not known stay."""

    def value(match: re.Match[str]) -> str:
        name, sign, default = match[1] or match[2], match[4], match[5]
        if name in known and (known[name] or not match[3]):
            return known[name]
        return default if sign == "-" else match[0]

    return _VARIABLE.sub(value, text)


def _dotenv(path: str) -> dict[str, str]:
    """The variables of a project's `.env`."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return {}
    known: dict[str, str] = {}
    for name, literal, quoted, plain in _ASSIGNMENT.findall(text):
        known[name] = literal or _filled(quoted or _COMMENT.split(plain)[0].strip(), known)
    return known


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
