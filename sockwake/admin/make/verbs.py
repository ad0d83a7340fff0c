"""The verb that makes instances."""

from __future__ import annotations

import json
import sys

from sockwake.admin import own
from sockwake.admin.make.new_options import OPTIONS
from sockwake.admin.parser import Verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace

    from sockwake.admin.make.request import Request
    from sockwake.config.instance import Instance
    from sockwake.config.settings import Settings


def _new(arguments: Namespace) -> None:
    from sockwake.admin.make import describe
    from sockwake.admin.make.decide import decide
    from sockwake.admin.show import exposure

    request = decide(arguments)
    own.enter(arguments)
    if arguments.user:
        from sockwake.engine import rootless

        rootless.require_ids()
    if arguments.dry_run:
        from sockwake.admin.make import rehearsal

        rehearsal.show(request, arguments)
        return
    made, settings = _make(request, arguments)
    facts = describe.describe(request, made, settings)
    sys.stderr.write("" if arguments.quiet else exposure.aloud(made, settings, request.warnings))
    if arguments.json:
        print(json.dumps(facts, indent=2))
    elif not arguments.quiet:
        print(describe.sentences(request, made, settings, facts, enabled=arguments.enable))


def _make(request: Request, arguments: Namespace) -> tuple[Instance, Settings]:
    quiet = arguments.quiet or arguments.json
    if request.root:
        from sockwake.admin.make import baking

        return baking.make(request, enable=arguments.enable, quiet=quiet, debug=arguments.debug)
    from sockwake.admin.make import new

    return new.make(
        request,
        provision=not arguments.no_provision,
        enable=arguments.enable,
        quiet=quiet,
        debug=arguments.debug,
    )


VERBS = (
    Verb(
        "new",
        _new,
        "make an instance",
        OPTIONS,
        description="Make an instance: a PostgreSQL, or whatever else it is, "
        "whose port is always open and which runs only while clients are connected.",
        has_name=True,
        makes_name=True,
        manual="sockwake-new(8)",
    ),
)
