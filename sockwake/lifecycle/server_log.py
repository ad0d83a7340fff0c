"""A server's log on its way to the journal: what it says that the administrator has to know."""

from __future__ import annotations

from sockwake.system import files, journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockwake.config.instance import Instance

# PostgreSQL's postinit.c, since version 15
_MISMATCH = b'" has a collation version mismatch'
_DATABASE = b'database "'
_LONGEST = 63 * 4  # bytes of a name
# In every language its hint has the statement that helps, within a sentence (of the Korean one it
# is another statement); in a log of statements nothing is behind it, or what ends or quotes it.
_REMEDY = (
    rb'ALTER (?:DATABASE|COLLATION) ("(?:[^"]|"")+"|[a-z_][a-z0-9_]*) REFRESH (?:COLLATION )?'
    rb"""VERSION(?=[^\s;'"`$)\]]| [^\s;'"`$)\]])"""
)
_VERB = b" REFRESH "
_WORDS = "a collation version mismatch|REFRESH (COLLATION )?VERSION"  # for journalctl


class ServerLog:
    """The log of one instance while it is awake."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._told: list[str] = []

    def write(self, text: bytes) -> None:
        """Pass it on, and note databases whose collation is another's than that of the image."""
        journal.write(text)
        for name in mismatched(text):
            if name not in self._told:
                journal.aside(self._tell, name)

    def _tell(self, name: str) -> None:
        self._told.append(name)
        shown = "".join(char if char.isprintable() else " " for char in name)
        journal.say(
            f'the image sorts texts otherwise than the one before: indexes of database "{shown}" '
            f'may be wrong. REINDEX DATABASE "{shown}"; '
            f'ALTER DATABASE "{shown}" REFRESH COLLATION VERSION; (administration.md)'
        )
        names = "".join(f"{each}\n" for each in self._told)
        files.replace_volatile(self._instance.collation_file, names)


def mismatched(text: bytes) -> list[str]:
    """The databases of which a piece of a log says that their collation is another's.

    In any language of PostgreSQL's, unless log_error_verbosity=terse leaves the hint out.
    """
    found = [
        before.rpartition(_DATABASE)[2][:_LONGEST].decode(errors="replace")
        for before in text.split(_MISMATCH)[:-1]
    ]
    if _VERB not in text:
        return list(dict.fromkeys(found))
    import re  # which no other log has to pay for

    for each in re.findall(_REMEDY, text):
        name = each.decode(errors="replace")
        found.append(name[1:-1].replace('""', '"') if name.startswith('"') else name)
    return list(dict.fromkeys(found))


def mismatched_in_last_run(instance: Instance) -> list[str]:
    """The same of the last run of a server whose log goes to the journal by itself."""
    from sockwake.system import process, systemctl

    run = systemctl.invocation(instance.backend_unit)
    if not run:
        return []
    argv = ["journalctl", "--output=cat", f"--grep={_WORDS}", f"_SYSTEMD_INVOCATION_ID={run}"]
    return mismatched(process.run(argv, check=False).encode())
