"""What the completions of all shells ask the declarations for."""

from sockwake.admin.change.runtimes import RUNTIMES
from sockwake.admin.parser import GROUPS, Verb

# prints the name and the state of each instance, of which sockwake ls --json has a line each
NAMES_AND_STATES = 's/^    "\\(name\\|state\\)": "\\([^"]*\\)",\\{0,1\\}$/\\2/p'


def called(verb: Verb) -> tuple[str, ...]:
    """All names of a verb."""
    return (verb.name, *verb.aliases)


def first_words(verbs: tuple[Verb, ...]) -> dict[str, str]:
    """The verbs of one word and the groups of others, each with its line of help."""
    names = {name.partition(" ")[0]: verb.help for verb in verbs for name in called(verb)}
    return {name: GROUPS.get(name, (text,))[0] for name, text in names.items()}


def of_group(verbs: tuple[Verb, ...], group: str) -> dict[str, str]:
    """The second words of a group, each with its line of help."""
    named = [verb for verb in verbs if verb.name.startswith(f"{group} ")]
    return {verb.name.partition(" ")[2]: verb.help for verb in named}


def takes_instances(verb: Verb) -> bool:
    """Whether it takes names of instances that there are."""
    return bool(verb.names) or (verb.has_name and not verb.makes_name)


def others(verb: Verb) -> tuple[str, ...]:
    """The words that it takes in the place of names."""
    return RUNTIMES if verb.name == "runtime" else ()
