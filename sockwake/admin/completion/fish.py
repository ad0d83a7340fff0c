"""The fish completion, which shows the state of each instance beside its name."""

from sockwake.admin.completion import words
from sockwake.admin.option import DIRECTORIES, FILES, USERS, Option
from sockwake.admin.parser import FILE, GROUPS, Verb
from sockwake.admin.verbs import VERBS

_ACTIONS = {
    DIRECTORIES: "(__fish_complete_directories (commandline -ct))",
    USERS: "(__fish_complete_users)",
}
_HEAD = f"""\
# fish completion for sockwake(8) and sockwake-new(8)

function __sockwake_is --description 'Whether the command line has these words behind sockwake'
    set -l typed (commandline -opc)
    test (count $typed) -gt (count $argv); or return 1
    set -l last (math 1 + (count $argv))
    test "$typed[2..$last]" = "$argv"
end

function __sockwake_has --description 'Whether it has this many words'
    test (count (commandline -opc)) -eq $argv[1]
end

function __sockwake_instances --description 'Instances, each with its state'
    set -l whose (string match -- --user (commandline -opc))
    command sockwake ls --json $whose 2>/dev/null | sed -n '{words.NAMES_AND_STATES}' |
        while read -l name
            read -l state
            printf '%s\\t%s\\n' $name $state
        end
end

complete -c sockwake -c sockwake-new -f
complete -c sockwake -n '__sockwake_has 1' -l version -d 'show the version'
complete -c sockwake -c sockwake-new -l help -d 'show a summary of the options'
"""


def script() -> str:
    """The text of the completion."""
    lines = [_word("__sockwake_has 1", *each) for each in words.first_words(VERBS).items()]
    for group in GROUPS:
        alone = f"__sockwake_has 2; and __sockwake_is {group}"
        lines += [_word(alone, *each) for each in words.of_group(VERBS, group).items()]
    for verb in VERBS:
        for name in words.called(verb):
            condition = f"__sockwake_is {name}"
            lines += _operands(verb, condition)
            lines += [_option(option, "sockwake", condition) for option in verb.options]
        if verb.name == "new":
            lines += [_option(option, "sockwake-new") for option in verb.options]
    return _HEAD + "".join(f"{line}\n" for line in lines)


def _word(condition: str, word: str, text: str) -> str:
    return f"complete -c sockwake -n {_quoted(condition)} -a {word} -d {_quoted(text)}"


def _operands(verb: Verb, condition: str) -> list[str]:
    """What completes the arguments of a verb that are no options."""
    before = f"complete -c sockwake -n {_quoted(condition)}"
    if FILE in verb.operands:
        return [f"{before} -F"]
    if not words.takes_instances(verb):
        return []
    others = [f"{before} -a {_quoted(' '.join(words.others(verb)))}"] if words.others(verb) else []
    return [f"{before} -a '(__sockwake_instances)'", *others]


def _option(option: Option, program: str, condition: str = "") -> str:
    parts = ["complete", f"-c {program}"]
    if condition:
        parts.append(f"-n {_quoted(condition)}")
    if option.short:
        parts.append(f"-s {option.short.removeprefix('-')}")
    parts.append(f"-l {option.flag.removeprefix('--')}")
    if option.metavar:
        parts.append("-r -F" if option.complete == FILES else "-x")
        action = " ".join((*option.words, _ACTIONS.get(option.complete, "")))
        if action.strip():
            parts.append(f"-a {_quoted(action.strip())}")
    return " ".join((*parts, f"-d {_quoted(option.help)}"))


def _quoted(text: str) -> str:
    """text as one word of fish, in which nothing is replaced."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
