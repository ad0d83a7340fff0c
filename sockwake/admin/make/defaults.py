"""What the options of sockwake-new are when they are not given, and which kinds take them."""

import argparse

from sockwake.admin.make.new_options import OPTIONS
from sockwake.admin.option import Option
from sockwake.errors import USAGE, SockwakeError
from sockwake.kinds.table import KINDS


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
