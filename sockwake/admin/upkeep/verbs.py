"""The verbs of upkeep: newer images and versions, and what sleep would starve."""

from argparse import Namespace

from sockwake.admin.each import do_to_each
from sockwake.admin.option import DEBUG, ROOT, USER, Option
from sockwake.admin.parser import Verb
from sockwake.config.instance import Name


def _update(arguments: Namespace) -> None:
    from sockwake.admin.upkeep import update

    root, quiet = arguments.root or "", arguments.quiet
    names = update.operands(arguments.names, all_of_them=arguments.all, root=root)

    def one(name: Name) -> str:
        return update.update(name, back=arguments.back, root=root, quiet=quiet)

    do_to_each(names, one, "updated", quiet=quiet)


VERBS = (
    Verb(
        "update",
        _update,
        "give instances the newest image of its name",
        (
            Option("--all", help="every instance that crun wakes"),
            Option("--back", help="give them the image that they had before"),
            Option("--quiet", help="say nothing but errors"),
            USER,
            ROOT,
            DEBUG,
        ),
        description="Give instances that crun wakes the newest image of the name that they have, "
        "with their next wake; or the one before.",
        names="instances",
    ),
)
