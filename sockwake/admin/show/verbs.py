"""The verbs that show instances."""

import json
from argparse import Namespace

from sockwake.admin.option import DEBUG, JSON, ROOT, USER
from sockwake.admin.parser import Verb
from sockwake.admin.show import ls, status
from sockwake.config import scope
from sockwake.config.instance import Instance
from sockwake.config.settings import load


def _ls(arguments: Namespace) -> None:
    rows = ls.rows(arguments.root or "")
    if arguments.json:
        print(json.dumps(rows, indent=2))
    elif rows:
        print(ls.table(rows))
    else:
        program = scope.command("sockwake-new")
        print(f"There are no instances. {program} NAME --version 18 makes one.")


def _status(arguments: Namespace) -> None:
    instance = Instance(arguments.name, arguments.root or "")
    settings = load(instance)
    facts = status.of(instance, settings)
    if arguments.json:
        print(json.dumps(facts, indent=2))
    else:
        print(status.sentences(facts, instance, settings))


VERBS = (
    Verb("ls", _ls, "list the instances and their states", (JSON, ROOT, USER, DEBUG)),
    Verb(
        "status",
        _status,
        "show all that is known of an instance",
        (JSON, ROOT, USER, DEBUG),
        has_name=True,
    ),
)
