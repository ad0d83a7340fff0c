"""The verbs for backups of instances."""

import json
import sys
from argparse import Namespace

from sockwake.admin import option_types, own
from sockwake.admin.each import do_to_each, try_each
from sockwake.admin.option import (
    ALL,
    DEBUG,
    DIRECTORIES,
    JSON,
    NO_HEADER,
    QUIET,
    ROOT,
    USER,
    Option,
)
from sockwake.admin.parser import Verb
from sockwake.admin.words import capital
from sockwake.config import scope, values
from sockwake.config.instance import Instance, Name
from sockwake.errors import USAGE, SockwakeError


def _backup(arguments: Namespace) -> None:
    from sockwake.admin import inventory, operands
    from sockwake.admin.backup import contents, listing, making

    root, quiet = arguments.root or "", arguments.quiet or arguments.json
    _require_names_or_all(arguments)
    names = operands.names(
        arguments.names, root, or_all=arguments.all, every=inventory.instances(root)
    )
    own.enter(arguments)
    wish = making.Wish(dump=arguments.dump, if_changed=arguments.if_changed, quiet=quiet)
    made = []

    def one(name: Name) -> str:
        done = making.make(name, wish, root)
        if done.made:
            made.append(listing.row(done.made))
        if done.problem:
            if not quiet:
                print(f"{done.sentence(name)}.", flush=True)
            raise done.problem
        return done.sentence(name)

    is_asked_often = arguments.all or arguments.if_changed
    harmless = (contents.NothingToBackUpError,) if is_asked_often else ()
    try:
        do_to_each(names, one, "backed up", quiet=quiet, harmless=harmless)
    finally:
        if arguments.json:
            print(json.dumps(made, indent=2))


def _require_names_or_all(arguments: Namespace) -> None:
    if arguments.all and arguments.names:
        raise SockwakeError("--all and names exclude each other", status=USAGE)


def _ls(arguments: Namespace) -> None:
    from sockwake.admin.backup import listing

    root = arguments.root or ""
    meant = listing.chosen(arguments.names, root)
    told: list[Instance] = []

    def one(name: Name) -> None:
        listing.require_any(Instance(name, root))
        told.append(Instance(name, root))

    problem = try_each([each.name for each in meant], one)
    found = listing.rows(told)
    if arguments.json:
        print(json.dumps(found, indent=2))
    elif found or arguments.no_header:
        sys.stdout.write(listing.table(found, header=not arguments.no_header))
    elif not problem:
        print(f"There are no backups. {scope.command('sockwake backup')} NAME makes one.")
    if problem:
        raise SockwakeError("not all of them have backups", status=problem.status)


def _expire(arguments: Namespace) -> None:
    from sockwake.admin.backup import expiry, listing, staged
    from sockwake.lifecycle import backups

    root, keep = arguments.root or "", arguments.keep
    _require_names_or_all(arguments)
    own.enter(arguments)
    found = listing.chosen(arguments.names, root, or_all=arguments.all)
    are_named = bool(arguments.names)
    meant = [each.name for each in found if are_named or expiry.number(each, keep)]
    gone: list[dict[str, object]] = []

    def one(name: Name) -> None:
        instance = Instance(name, root)
        listing.require_any(instance)
        with staged.locked(instance):
            for each in expiry.expire(instance, expiry.keep_of(instance, keep)):
                gone.append(listing.row(each))
                if not arguments.json:
                    print(f"Deleted the {each.method} backup {each.stamp} of {name}.", flush=True)

    try:
        problem = try_each(meant, one)
    finally:
        if arguments.json:
            print(json.dumps(gone, indent=2))
    if problem:
        raise SockwakeError("the backups of some did not expire", status=problem.status)
    if not (gone or arguments.json):
        count = sum(len(backups.of(each)) for each in found)
        print(f"There is nothing to delete among {count} backups.")


def _verify(arguments: Namespace) -> None:
    from sockwake.admin.backup import listing, staged, verification
    from sockwake.lifecycle import backups

    root, quiet = arguments.root or "", arguments.quiet or arguments.json
    timestamp = getattr(arguments, "from") or ""
    _require_names_or_all(arguments)
    own.enter(arguments)
    found = listing.chosen(arguments.names, root, or_all=arguments.all)
    if timestamp and len(found) != 1:
        raise SockwakeError("--from is for the backups of one instance", status=USAGE)
    looked = []

    def one(name: Name) -> str:
        instance = Instance(name, root)
        listing.require_any(instance)
        with staged.locked(instance):
            backup = listing.select(instance, timestamp)
            try:
                said = verification.verify(instance, backup, quiet=quiet)
            finally:
                looked.append(backup.path)
        return capital(said)

    try:
        do_to_each([each.name for each in found], one, "good", quiet=quiet)
    finally:
        if arguments.json:
            told = [listing.row(each) for path in looked if (each := backups.at(path))]
            print(json.dumps(told, indent=2))


def _restore(arguments: Namespace) -> None:
    from sockwake.admin.backup import restoring

    root = arguments.root or ""
    new, timestamp = getattr(arguments, "as"), getattr(arguments, "from")  # words of Python's
    if sum(map(bool, (arguments.back, arguments.forget, new or timestamp))) > 1:
        raise SockwakeError("--back, --forget and --from or --as exclude each other", status=USAGE)
    if (arguments.port or arguments.data) and not new:
        raise SockwakeError("--port and --data are for --as", status=USAGE)
    own.enter(arguments)
    if arguments.back:
        said = restoring.back(arguments.name, root=root)
    elif arguments.forget:
        said = restoring.forget(arguments.name, root=root)
    else:
        said = _restored(arguments, root)
    if not arguments.quiet:
        print(f"{said if said.startswith(arguments.name) else capital(said)}.")


def _restored(arguments: Namespace, root: str) -> str:
    """Restore in place; as another instance, or as one that was removed, make it."""
    from sockwake.admin import inventory
    from sockwake.admin.backup import again, restoring
    from sockwake.admin.change.copy import Wish

    timestamp = getattr(arguments, "from") or ""
    instance = Instance(arguments.name, root)
    if not getattr(arguments, "as") and inventory.exists(instance):
        return restoring.restore(arguments.name, timestamp, root=root, quiet=arguments.quiet)
    wish = Wish(
        arguments.port or 0, arguments.data or "", keeps_password=True, quiet=arguments.quiet
    )
    new = Name(getattr(arguments, "as") or arguments.name)
    return again.make(instance, timestamp, new, wish)


_FROM = Option(
    "--from", "TIMESTAMP", "which backup", otherwise="the newest that is good and no dump"
)


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 9999:
        raise SockwakeError(
            f"'{text}' is no number of backups", "1 to 9999; the last good one always stays", USAGE
        )
    return int(text)


VERBS = (
    Verb(
        "backup",
        _backup,
        "back up instances, which sleep on",
        (
            ALL,
            Option("--dump", help="have pg_dump write the databases, which wakes it"),
            Option("--if-changed", help="not one that has not been awake since its last backup"),
            QUIET,
            JSON,
            ROOT,
            USER,
            DEBUG,
        ),
        description="Back up the files and data of instances: of one that sleeps as they are, of a "
        "PostgreSQL that is awake by pg_basebackup.",
        names="instances",
    ),
    Verb(
        "backups ls",
        _ls,
        "list the backups there are",
        (JSON, NO_HEADER, ROOT, USER, DEBUG),
        names="instances, also those that were removed; none for all",
    ),
    Verb(
        "backups expire",
        _expire,
        "delete old backups",
        (
            ALL,
            Option(
                "--keep",
                "N",
                "how many good backups of each are kept",
                type=_number,
                otherwise="KEEP_BACKUPS of the instance",
            ),
            JSON,
            ROOT,
            USER,
            DEBUG,
        ),
        description="Delete the backups of instances that are older than the newest ones. The last "
        "good one always stays.",
        names="instances, also those that were removed",
    ),
    Verb(
        "backups verify",
        _verify,
        "prove that backups are whole, and start a server of them",
        (ALL, _FROM, QUIET, JSON, ROOT, USER, DEBUG),
        description="Prove the newest backup of each instance: its files, its checksums, and a "
        "start of a throw-away server that answers.",
        names="instances, also those that were removed",
    ),
    Verb(
        "restore",
        _restore,
        "give an instance the data of a backup",
        (
            _FROM,
            Option("--as", "NEW", "make an instance of this name of it", type=Name),
            Option("--port", "N", "the TCP port of that", type=values.port),
            Option(
                "--data",
                "DIR",
                "the data directory of that",
                type=option_types.data_path,
                plain=True,
                complete=DIRECTORIES,
            ),
            Option("--back", help="have the data again that were replaced"),
            Option("--forget", help="delete the data that were replaced"),
            QUIET,
            ROOT,
            USER,
            DEBUG,
        ),
        description="Give an instance that sleeps the data of a backup; those it had are kept. "
        "One that was removed is made again.",
        has_name=True,
    ),
)
