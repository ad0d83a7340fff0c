"""What the options of sockwake-new are when they are not given, and which kinds take them.

The administrator's own defaults are in /etc/sockwake/defaults.env, in the format of instance.env.
"""

import argparse

from sockwake.admin.make.new_options import OPTIONS
from sockwake.admin.option import Option
from sockwake.config import envfile, scope
from sockwake.errors import FAILED, USAGE, SockwakeError, reason
from sockwake.kinds.table import KINDS

# options of a single instance, or of a single call
_OF_ONE = {
    *("PORT", "DATA", "PASSWORD_FILE", "IMAGE_ARCHIVE"),
    *("ROOT", "USER", "DRY_RUN", "DEBUG", "JSON"),
}
# a default that does not go together with an option that was given
_GIVES_WAY = {
    "engine": ("runtime",),
    "env": ("compose",),
    "env_file": ("compose",),
    "image": ("compose", "runtime"),
    "kind": ("compose",),
    "mount": ("compose",),
    "network": ("compose",),
    "runtime": ("engine", "image"),
    "service": ("image",),
}


def take_from_file(arguments: argparse.Namespace) -> dict[str, str]:
    """Give options that were not given the administrator's own defaults, where there are some.

    Returns each that was taken, as KEY=VALUE, and the line it is from. Raises SockwakeError that
    names file and line, also for a default of another kind.
    """
    path = f"{scope.etc(arguments.root or '')}/defaults.env"
    text = _text(path)
    lines = envfile.parse(text, path)
    values = {key: _checked(path, text, key, value) for key, value in lines.items() if value}
    taken: dict[str, str] = {}
    # the kind first: it tells which of the others count
    for key in sorted(values, key=lambda key: key != "KIND"):
        option, value = values[key]
        kind = "project" if arguments.compose else arguments.kind or "postgres"
        if value and _is_open(option, arguments, kind, set(taken.values())):
            setattr(arguments, option.name, value)
            taken[f"{key}={lines[key]}"] = option.name
    return {said: f"{path}:{envfile.line_of(text, said.partition('=')[0])}" for said in taken}


def _is_open(option: Option, arguments: argparse.Namespace, kind: str, taken: set[str]) -> bool:
    """Whether an option was not given, and may have a default beside those that were."""
    if getattr(arguments, option.name) not in (None, False):
        return False
    if option.kinds and kind not in option.kinds_named:
        return False
    rivals = (name for name in _GIVES_WAY.get(option.name, ()) if name not in taken)
    return not any(getattr(arguments, name) for name in rivals)


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise SockwakeError(f"cannot read {path}: {reason(error)}") from None
    except UnicodeDecodeError:
        raise SockwakeError(f"cannot read {path}: it is not UTF-8") from None


def _checked(path: str, text: str, key: str, value: str) -> tuple[Option, object]:
    """The option of a key, and its checked value; raises SockwakeError that names the line."""
    where = f"{path}:{envfile.line_of(text, key)}"
    option = next((one for one in OPTIONS if key in (one.name.upper(), one.key)), None)
    if not option:
        raise SockwakeError(f"{where}: there is no option for key '{key}'")
    if option.name.upper() in _OF_ONE:
        raise SockwakeError(f"{where}: {key} has no default: it is for a single instance")
    try:
        if not option.metavar:
            if value not in ("yes", "no"):
                raise SockwakeError(f"'{value}' is neither yes nor no")
            return option, value == "yes"
        if option.repeatable:
            return option, [option.check(item) for item in value.split(",")]
        return option, option.check(value)
    except SockwakeError as error:
        raise SockwakeError(f"{where}: {error.message}", error.hint, FAILED) from None


def settle(arguments: argparse.Namespace) -> None:
    """Give every option that was not given its default, None where it has none.

    Raises SockwakeError for an option of another kind, and for a missing one.
    """
    missing = [option for option in OPTIONS if getattr(arguments, option.name) is None]
    for option in missing:
        if not option.kinds:
            setattr(arguments, option.name, option.default_value())
    for option in OPTIONS:
        if option not in missing:
            _require_kind(option, arguments.kind)
    for option in missing:
        if option.kinds:
            setattr(arguments, option.name, _default_of_kind(option, arguments.kind))


def _require_kind(option: Option, kind_name: str) -> None:
    """Raise SockwakeError unless an instance of this kind has the option."""
    if option.kinds and kind_name not in option.kinds_named:
        raise SockwakeError(
            f"{option.flag} is not for an instance of kind '{kind_name}'",
            f"it is for kind {' or '.join(option.kinds_named)}",
            USAGE,
        )


def _default_of_kind(option: Option, kind_name: str) -> object:
    """The checked value of an option of some kinds; raises SockwakeError when it must be given."""
    kind = KINDS[kind_name]
    constant = kind.fixed.get(option.name) or kind.defaults.get(option.name)
    if constant:
        return option.check(constant)
    if kind_name not in option.kinds_named:
        return None
    if option.required:
        raise SockwakeError(f"{option.flag} is missing", kind.example, USAGE)
    return option.default_value()
