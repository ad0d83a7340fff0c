"""The bash completion; it does not show states, as bash has no place for them."""

from sockwake.admin.change.runtimes import RUNTIMES
from sockwake.admin.completion.words import called
from sockwake.admin.option import DIRECTORIES, FILES, USERS, Option
from sockwake.admin.parser import FILE, GROUPS, Verb
from sockwake.admin.verbs import VERBS

_COMPGEN = {DIRECTORIES: "-d", FILES: "-f", USERS: "-u"}
_SCRIPT = """\
# bash completion for sockwake(8) and sockwake-new(8)  -*- shell-script -*-

_sockwake() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
	local verb=${COMP_WORDS[1]} words='' names

	case ${1##*/} in
	sockwake-new) verb=new ;;
	*) [ "$COMP_CWORD" -gt 1 ] || verb='' ;;
	esac
	case $verb in
	@GROUPS@) [ "$COMP_CWORD" -le 2 ] || verb+=" ${COMP_WORDS[2]}" ;;
	esac

	# what an option takes comes before what its verb has
	case "$verb $previous" in
@VALUES@
	esac

	case " ${COMP_WORDS[*]} " in
	*' --user '*) names=${XDG_CONFIG_HOME:-$HOME/.config}/sockwake ;;
	*) names=/etc/sockwake ;;
	esac
	# instances are directories; beside them is defaults.env
	names=$(cd "$names" 2>/dev/null && compgen -d -X '.*')
	case $verb in
	'') words="@VERBS@ --help --version" ;;
@OPTIONS@
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _sockwake sockwake sockwake-new
"""


def script() -> str:
    """The text of the completion."""
    values = [_value(verb, option) for verb in VERBS for option in verb.options if option.metavar]
    parts = {
        "@VALUES@": "\n".join(values),
        "@GROUPS@": " | ".join(GROUPS),
        "@VERBS@": " ".join(
            dict.fromkeys(name.partition(" ")[0] for verb in VERBS for name in called(verb))
        ),
        "@OPTIONS@": "\n".join([*map(_group, GROUPS), *map(_options, VERBS)]),
    }
    text = _SCRIPT
    for place, part in parts.items():
        text = text.replace(place, part)
    return text


def _value(verb: Verb, option: Option) -> str:
    """The branch that completes the value of an option."""
    words = f'-W "{" ".join(option.words)}" ' if option.words else ""
    kind = f"{_COMPGEN[option.complete]} " if option.complete else ""
    flags = " | ".join(f'"{name} {option.flag}"' for name in called(verb))
    if not words and not kind:
        return f"\t{flags}) return ;;"
    how = "filenames" if option.complete in (DIRECTORIES, FILES) else ""
    if any(word.endswith("=") for word in option.words):  # its value follows
        how = "nospace"
    set_how = f"\t\tcompopt -o {how}\n" if how else ""
    return (
        f"\t{flags})\n{set_how}"
        f'\t\tmapfile -t COMPREPLY < <(compgen {kind}{words}-- "$current")\n\t\treturn\n\t\t;;'
    )


def _group(group: str) -> str:
    """The branch that completes the verbs of a group."""
    names = [verb.name.partition(" ")[2] for verb in VERBS if verb.name.startswith(f"{group} ")]
    return f'\t{group}) words="{" ".join((*names, "--help"))}" ;;'


def _options(verb: Verb) -> str:
    """The branch that completes the options of a verb, and the name of an instance there is."""
    flags = " ".join((*(flag for option in verb.options for flag in option.flags), "--help"))
    takes_names = verb.names or (verb.has_name and not verb.makes_name)
    names = " $names" if takes_names else ""
    if verb.name == "runtime":
        names += "".join(f" {each}" for each in RUNTIMES)
    first = '[ "$COMP_CWORD" -gt 2 ] || ' if verb.rest else ""
    pattern = f'"{verb.name}"' if " " in verb.name else " | ".join(called(verb))
    if FILE not in verb.operands:
        return f'\t{pattern}) {first}words="{flags}{names}" ;;'
    return (
        f"\t{pattern})\n\t\t[[ $current == -* ]] || {{\n\t\t\tcompopt -o filenames\n"
        '\t\t\tmapfile -t COMPREPLY < <(compgen -f -- "$current")\n\t\t\treturn\n\t\t}\n'
        f'\t\twords="{flags}" ;;'
    )
