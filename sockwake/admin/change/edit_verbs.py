"""The verbs that change the settings of instances."""

import sys
from argparse import Namespace

from sockwake.admin import operands, own
from sockwake.admin.each import do_to_each
from sockwake.admin.option import DEBUG, QUIET, ROOT, USER, Option
from sockwake.admin.parser import Verb
from sockwake.admin.words import capital
from sockwake.config.instance import Instance, Name
from sockwake.errors import USAGE, SockwakeError
from sockwake.kinds.table import COMPOSE, SERVICE


def _set(arguments: Namespace) -> None:
    from sockwake.admin.change import lines
    from sockwake.admin.change import set as setting

    words, changes = lines.assignments(arguments.names)
    own.enter(arguments)
    root = arguments.root or ""
    names = operands.names(words, root)
    setting.require_possible(names, changes)

    def one(name: Name, *, dry_run: bool) -> str:
        diff, said, warnings = setting.set_lines(
            name, changes, root=root, dry_run=dry_run, force=arguments.force, quiet=arguments.quiet
        )
        return _shown(arguments, diff, said, warnings)

    if len(names) > 1 and not arguments.dry_run:  # all of them, or none
        for name in names:
            setting.set_lines(
                name, changes, root=root, dry_run=True, force=arguments.force, quiet=True
            )
    do_to_each(
        names, lambda name: one(name, dry_run=arguments.dry_run), "set", quiet=arguments.quiet
    )


def _edit(arguments: Namespace) -> None:
    from sockwake.admin.change import edit

    if arguments.compose and arguments.unit:
        raise SockwakeError("--compose and --unit exclude each other", status=USAGE)
    own.enter(arguments)
    file = COMPOSE if arguments.compose else SERVICE if arguments.unit else "instance.env"
    diff, said, warnings = edit.edit(
        arguments.name,
        file,
        root=arguments.root or "",
        dry_run=arguments.dry_run,
        force=arguments.force,
    )
    print(f"{_shown(arguments, diff, said, warnings)}.")


def _shown(arguments: Namespace, diff: str, said: str, warnings: str) -> str:
    """Print the difference and the warnings; what is to be said at last."""
    if not getattr(arguments, "quiet", False):
        sys.stdout.write(diff)
        sys.stdout.flush()
        sys.stderr.write(warnings)
    return capital(said) if said.startswith(("changed", "would")) else said


def _apply(arguments: Namespace) -> None:
    from sockwake.admin.change import apply
    from sockwake.admin.change.seen import Seen

    own.enter(arguments)
    root, quiet = arguments.root or "", arguments.quiet
    names = operands.names(arguments.names, root, or_all=True)
    if arguments.check or arguments.dry_run:
        apply.check(names, root=root, quiet=quiet)
        return

    seen = Seen([Instance(name, root) for name in names])

    def one(name: Name) -> str:
        return apply.apply(name, seen=seen, root=root, force=arguments.force, quiet=quiet)

    do_to_each(names, one, "applied", quiet=quiet)


_DRY_RUN = Option("--dry-run", help="show what would change, and change nothing")
_FORCE = Option("--force", help="cut clients, where that is needed")

VERBS = (
    Verb(
        "set",
        _set,
        "set keys of instance.env: NAME... KEY=VALUE...",
        (_DRY_RUN, _FORCE, QUIET, ROOT, USER, DEBUG),
        description="Set keys of instance.env, or with KEY= take a line out. All is checked before "
        "anything changes, and takes effect as far as no client is cut.",
        names="instances, and KEY=VALUE for each key to set",
    ),
    Verb(
        "edit",
        _edit,
        "edit a file of an instance",
        (
            Option("--compose", help="compose.yaml instead of instance.env"),
            Option("--unit", help="service.conf instead of instance.env"),
            _DRY_RUN,
            _FORCE,
            ROOT,
            USER,
            DEBUG,
        ),
        description="Edit a copy of instance.env with $VISUAL, $EDITOR or sensible-editor, which "
        "takes its place when it is valid.",
        has_name=True,
    ),
    Verb(
        "apply",
        _apply,
        "have instances be as their files say",
        (
            Option("--check", help="change nothing; exit with status 6 if something would"),
            _DRY_RUN,
            _FORCE,
            QUIET,
            ROOT,
            USER,
            DEBUG,
        ),
        description="Have instances be as their files say, which a configuration tool has changed.",
        names="instances; every one if none is named",
    ),
)
