"""The verbs that wake instances, keep them awake and put them to sleep."""

import json
import sys
from argparse import Namespace

from sockwake.admin import operands
from sockwake.admin.option import DEBUG, JSON, NO_HEADER, USER, Option
from sockwake.admin.parser import Verb
from sockwake.config import scope, timespan
from sockwake.errors import USAGE, SockwakeError

_FOREVER = float("inf")


def _wake(arguments: Namespace) -> None:
    from sockwake.admin.steer import wake

    names = operands.names(arguments.names)
    wake.wake(names, block=_blocks(arguments), seconds=_patience(arguments))


def _sleep(arguments: Namespace) -> None:
    from sockwake.admin.steer import wake

    names = operands.names(arguments.names)
    block, seconds = _blocks(arguments), _patience(arguments)
    wake.sleep(names, force=arguments.force, block=block, seconds=seconds)


def _is_awake(arguments: Namespace) -> None:
    from sockwake.admin.steer import wake

    found = wake.words(operands.names(arguments.names))
    if not arguments.quiet:
        print("\n".join(found))
    if status := wake.status(found):
        sys.exit(status)


def _keep(arguments: Namespace) -> None:
    from sockwake.admin.steer import keep

    is_list = not arguments.names and arguments.command is None
    if is_list:
        _list_holds(arguments)
        return
    if arguments.json:
        raise SockwakeError("--json is for the list, which takes no name", status=USAGE)
    names, reason = operands.names(arguments.names), arguments.reason or ""
    end = keep.end_of(getattr(arguments, "for"), arguments.until or "")
    if arguments.command is None:
        keep.keep(names, reason, end)
    elif arguments.command:
        keep.run(names, reason, end, arguments.command)
    else:
        raise SockwakeError("there is no command behind '--'", "sockwake keep --help", USAGE)


def _list_holds(arguments: Namespace) -> None:
    from sockwake.admin.steer import keep

    if getattr(arguments, "for") is not None or arguments.until or arguments.reason:
        raise SockwakeError(
            "say which instances", f"{scope.command('sockwake ls')} lists them", USAGE
        )
    rows = keep.rows()
    if arguments.json:
        print(json.dumps(rows, indent=2))
    elif rows or arguments.no_header:
        sys.stdout.write(keep.table(header=not arguments.no_header))
    else:
        print(f"No instance is kept awake. {scope.command('sockwake keep')} NAME keeps one.")


def _release(arguments: Namespace) -> None:
    from sockwake.admin.steer import keep

    words, numbers = keep.split(arguments.names)
    if numbers and arguments.all:
        raise SockwakeError("--all and numbers exclude each other", status=USAGE)
    keep.release(operands.names(words), numbers, all_of_them=arguments.all)


def _blocks(arguments: Namespace) -> bool:
    """Whether to wait for the end."""
    if arguments.no_block and (arguments.wait or arguments.timeout is not None):
        other = "--wait" if arguments.wait else "--timeout"
        raise SockwakeError(f"--no-block and {other} exclude each other", status=USAGE)
    return not arguments.no_block


def _patience(arguments: Namespace) -> float:
    return _FOREVER if arguments.timeout is None else float(arguments.timeout)


def _span(text: str) -> float:
    """Seconds of a time of more than nothing; "infinity" is no end."""
    seconds = timespan.parse(text)
    if seconds <= 0:
        raise SockwakeError(f"the time '{text}' is no longer than nothing", status=USAGE)
    return seconds


_WAITING = (
    Option("--wait", help="wait for the end, as it does without this, too"),
    Option("--no-block", help="do not wait for the end"),
    Option("--timeout", "TIME", "wait at most so long; it goes on all the same", type=_span),
)

VERBS = (
    Verb(
        "wake",
        _wake,
        "wake instances, as a client would",
        (*_WAITING, USER, DEBUG),
        description="Wake instances as a client would, and say how long that took. They fall "
        "asleep again as after any client.",
        names="instances",
        aliases=("start",),
    ),
    Verb(
        "sleep",
        _sleep,
        "put instances to sleep; their ports stay open",
        (
            Option("--force", help="also with clients, which are sent away, and with holds"),
            *_WAITING,
            USER,
            DEBUG,
        ),
        description="Put instances to sleep that no client uses; their ports stay open, and the "
        "next client wakes them.",
        names="instances",
        aliases=("stop",),
    ),
    Verb(
        "is-awake",
        _is_awake,
        "tell by the exit status whether an instance is awake",
        (Option("--quiet", help="print nothing", short="-q"), USER, DEBUG),
        description="Print the state of instances in the words of 'systemctl is-active', and exit "
        "as that does: with 0 when any is awake, 3 when none is, 4 when there are none.",
        names="instances",
    ),
    Verb(
        "keep",
        _keep,
        "keep instances awake, or list what is kept",
        (
            Option("--for", "TIME", "as long as this, as in 2h", type=_span),
            Option("--until", "WHEN", "until then, as in 18:00, or 'Mon 08:00'"),
            Option("--reason", "TEXT", "why, for those who ask"),
            JSON,
            NO_HEADER,
            USER,
            DEBUG,
        ),
        description="Keep instances awake, which wakes them, as long as a command runs, or until "
        "the end that is given, or until 'sockwake release'. Without a name, list what is kept.",
        names="instances; none to list what is kept",
        command="COMMAND",
    ),
    Verb(
        "release",
        _release,
        "let instances sleep that were kept awake",
        (Option("--all", help="every hold of these instances"), USER, DEBUG),
        description="End what 'sockwake keep' has begun: the hold with this number, the only one, "
        "or all.",
        names="instances, and numbers of holds",
    ),
)
