"""The zsh completion, which shows the state of each instance beside its name."""

from collections.abc import Mapping

from sockwake.admin.completion import words
from sockwake.admin.option import DIRECTORIES, FILES, USERS, Option
from sockwake.admin.parser import FILE, GROUPS, Verb
from sockwake.admin.verbs import VERBS

_ACTIONS = {DIRECTORIES: "_files -/", FILES: "_files", USERS: "_users"}
_SCRIPT = f"""\
#compdef sockwake sockwake-new
# zsh completion for sockwake(8) and sockwake-new(8)

# instances, each with its state; the arguments are other words that can stand there
_sockwake_instances() {{
	local -a found
	local name state
	sockwake ls --json ${{words[(r)--user]}} 2>/dev/null |
		sed -n '{words.NAMES_AND_STATES}' |
		while read -r name && read -r state; do found+=("$name:$state"); done
	_describe -t instances instance found
	(( $# )) && compadd -- "$@"
}}

_sockwake_words_or_files() {{
	compadd -- "$@"
	_files
}}

@FUNCTIONS@
_sockwake() {{
	local curcontext=$curcontext state state_descr line
	typeset -A opt_args
	if [[ $service == sockwake-new ]]; then _sockwake_new; return; fi
@FIRST@
}}

_sockwake "$@"
"""
# of sockwake, and of a group: which of its verbs follows
_CHOICE = """\
	local -a verbs=(@VERBS@)
	_arguments -C @OPTIONS@'1:command:->verb' '*::argument:->rest'
	case $state in
	verb) _describe -t commands command verbs ;;
	rest)
		case $words[1] in
@CASES@
		esac
		;;
	esac"""
_VERSION = "'--version[show the version]' "
_HELP = "'--help[show a summary of the options]' "


def script() -> str:
    """The text of the completion."""
    functions = [_function(verb) for verb in VERBS]
    for verb in VERBS:
        functions += [f"{_name(name)}() {{ {_name(verb.name)}; }}\n" for name in verb.aliases]
    for group in GROUPS:
        body = _choice(words.of_group(VERBS, group), f"{group}_", _HELP)
        functions.append(
            f"_sockwake_{group}() {{\n\tlocal curcontext=$curcontext state state_descr line\n"
            f"\ttypeset -A opt_args\n{body}\n}}\n"
        )
    first = _choice(words.first_words(VERBS), "", _HELP + _VERSION)
    return _SCRIPT.replace("@FUNCTIONS@", "\n".join(functions)).replace("@FIRST@", first)


def _choice(verbs: Mapping[str, str], prefix: str, options: str) -> str:
    described = " ".join(_quoted(f"{name}:{text}") for name, text in verbs.items())
    cases = "\n".join(f"\t\t{name}) {_name(prefix + name)} ;;" for name in verbs)
    text = _CHOICE.replace("@VERBS@", described).replace("@OPTIONS@", options)
    return text.replace("@CASES@", cases)


def _function(verb: Verb) -> str:
    """The function that completes the arguments of a verb."""
    specs = [*map(_option, verb.options), "'--help[show a summary of the options]'"]
    lines = " \\\n".join(f"\t\t{spec}" for spec in [*specs, *_operands(verb)])
    return f"{_name(verb.name)}() {{\n\t_arguments \\\n{lines}\n}}\n"


def _name(verb: str) -> str:
    return f"_sockwake_{verb.replace(' ', '_').replace('-', '_')}"


def _operands(verb: Verb) -> list[str]:
    """The specifications of the arguments of a verb that are no options."""
    others = "".join(f" {word}" for word in words.others(verb))
    found = []
    if verb.has_name:
        action = " " if verb.makes_name else "_sockwake_instances"
        found.append(_quoted(f"1:name:{action}"))
    if verb.names:
        action = f" _sockwake_instances{others}" if others else "_sockwake_instances"
        found.append(_quoted(f"*:name:{action}"))
    for operand in verb.operands:
        found.append(_quoted(f":{operand}:{'_files' if operand == FILE else ' '}"))
    if verb.rest:
        found.append(_quoted("*::argument: "))
    return found


def _option(option: Option) -> str:
    """The specification of an option; it is offered once, unless it is repeatable."""
    text = f"[{_escaped(option.help)}]"
    if option.metavar:
        text += f":{_escaped(option.metavar)}:{_action(option)}"
    if option.repeatable:
        return _quoted(f"*{option.flag}{text}")
    if option.short:
        both = f"({option.short} {option.flag})"
        return f"{_quoted(both)}{{{option.short},{option.flag}}}{_quoted(text)}"
    return _quoted(f"{option.flag}{text}")


def _action(option: Option) -> str:
    """What completes the value of an option."""
    if option.words and option.complete:
        return f" _sockwake_words_or_files {' '.join(option.words)}"
    if any(word.endswith("=") for word in option.words):  # its value follows
        return f" compadd -S '' -- {' '.join(option.words)}"
    return f"({' '.join(option.words)})" if option.words else _ACTIONS.get(option.complete, " ")


def _escaped(text: str) -> str:
    """text for a specification of _arguments, where brackets and colons have a meaning."""
    return "".join(f"\\{char}" if char in "[]:\\" else char for char in text)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
