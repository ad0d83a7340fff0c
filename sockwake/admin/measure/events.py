"""The journal as events of instances: wakes, sleeps, failures, refusals and strangers.

They are written by system/journal.py (record()), with fields that the journal has indexes of, and
by a proxy that refuses clients, whose sandbox lets it write text alone. Versions before these
fields wrote the text alone, too: it is looked for in the part of the journal before the first
event with fields.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

WAKE, SLEEP, FAILURE, REFUSAL, STRANGERS = "wake", "sleep", "failure", "refusal", "strangers"
STOPPING = "stopping"  # systemd was asked to stop the proxy, which an idle one is not
KINDS = (WAKE, SLEEP, FAILURE, REFUSAL, STRANGERS)

PROXY_IDENTIFIER = "sockwake-proxy"
STOPPING_ID = "de5b426a63be47a7b6ac3eaac82e2f6f"  # SD_MESSAGE_UNIT_STOPPING, sd-messages.h
# all that is read of an entry
FIELDS = (
    *("MESSAGE", "MESSAGE_ID", "SOCKWAKE_EVENT", "SOCKWAKE_INSTANCE", "SOCKWAKE_CLIENT"),
    *("SOCKWAKE_TOOK", "SOCKWAKE_PHASES", "SOCKWAKE_COUNT", "SOCKWAKE_WHY", "SOCKWAKE_AWAKE"),
    *(
        "SOCKWAKE_MEMORY",
        "SOCKWAKE_CACHE",
        "SOCKWAKE_STOPPED",
        "UNIT",
        "USER_UNIT",
        "_PID",
        "_UID",
        "_BOOT_ID",
    ),
    *("_SYSTEMD_UNIT", "_SYSTEMD_USER_UNIT", "_SOURCE_REALTIME_TIMESTAMP"),
)
_UNIT = re.compile(r"pg-(?:postgres|proxy|wanted)@([a-z][a-z0-9-]*)\.service")
_REFUSED = re.compile(r"refused (\d+) clients?: (.*)", re.DOTALL)
_PREFIX = re.compile(r'sockwake: instance "[^"]*" cannot start: (.*) \(journalctl .*\)', re.DOTALL)
# texts of versions before the fields
_WOKEN = re.compile(r"sockwake: woken by (.*) in (\d+) ms(?: \((.*)\))?")
_TURNED_AWAY = re.compile(r"sockwake: turned away (\S+)(?:, which| connections .* last from (\S+))")
_SILENT = re.compile(
    r"sockwake: (?:a connection|(\d+) connections .* last) from (\S+?)(?: sent.*)?"
)
_ERROR = re.compile(r"sockwake: error: (.*)", re.DOTALL)
# the same for journalctl's --grep
OLD_TEXTS = (
    r"^sockwake: (woken by .* in \d+ ms|asleep|turned away |error: |"
    r"(a connection|\d+ connections) .*sent nothing)"
)


@dataclass(frozen=True)
class Event:
    """One event. at: seconds since the epoch. boot: which start of the machine it belongs to.

    client: address and port, or a description; of STRANGERS the last. took: seconds that a wake
    took; phases: seconds of its parts. count: how many clients or connections; 0 when not known.
    why: a sentence. awake: seconds from its wake to this sleep. is_stopped: by an administrator
    or the end of the machine, where the program tells. memory, cache: bytes that it had
    just before, of its own and of the page cache. None is what is not known.
    """

    at: float
    name: str
    kind: str
    boot: str = ""
    client: str = ""
    took: float | None = None
    phases: Mapping[str, float] = field(default_factory=dict)
    count: int = 1
    why: str = ""
    awake: float | None = None
    is_stopped: bool = False
    memory: int | None = None
    cache: int | None = None


def parse(lines: Sequence[str], *, uid: int = 0) -> Iterator[Event]:
    """The events among lines of `journalctl --output=json`; all others are passed over.

    uid: whose entries with fields count, as any user can write such. Half a line is no event.
    """
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            event = _event({key: _text(value) for key, value in entry.items()}, uid)
            if event:
                yield event


def _text(value: object) -> str:
    """A field as text: the journal has one that is not printable as a list of bytes."""
    if isinstance(value, list) and all(isinstance(each, int) for each in value):
        return bytes(each & 0xFF for each in value).decode(errors="replace")
    if isinstance(value, list):  # given several times
        return _text(value[-1])
    return value if isinstance(value, str) else ""


def _event(entry: Mapping[str, str], uid: int) -> Event | None:
    stamp = entry.get("_SOURCE_REALTIME_TIMESTAMP", "") or entry.get("__REALTIME_TIMESTAMP", "")
    if not stamp.isdigit():
        return None
    at, boot = int(stamp) / 1e6, entry.get("_BOOT_ID", "")
    if entry.get("SOCKWAKE_EVENT") in KINDS:
        return _with_fields(entry, at, boot) if entry.get("_UID") == f"{uid}" else None
    if entry.get("MESSAGE_ID") == STOPPING_ID:
        unit = entry.get("UNIT", "") or entry.get("USER_UNIT", "")
        is_proxys = unit.startswith("pg-proxy@") and bool(_name(unit))
        is_systemds = entry.get("_UID") == f"{uid}"  # any user can write such an entry
        return Event(at, _name(unit), STOPPING, boot) if is_proxys and is_systemds else None
    name, text = _name(_unit(entry, uid)), entry.get("MESSAGE", "")
    return _of_text(text, at, name, boot) if name else None


def _unit(entry: Mapping[str, str], uid: int) -> str:
    """The unit that has written an entry, of the systemd of these instances; "" of another's.

    Every user may have an instance of the same name, and a unit that is called as an instance's.
    """
    own, users = entry.get("_SYSTEMD_UNIT", ""), entry.get("_SYSTEMD_USER_UNIT", "")
    if not uid:
        return "" if users else own
    return users if own == f"user@{uid}.service" else ""


def _name(unit: str) -> str:
    """The instance of one of its units, or ""."""
    match = _UNIT.fullmatch(unit)
    return match[1] if match else ""


def _with_fields(entry: Mapping[str, str], at: float, boot: str) -> Event:
    def number(key: str) -> float | None:
        try:
            return float(entry[f"SOCKWAKE_{key}"])
        except (KeyError, ValueError):
            return None

    kind = entry["SOCKWAKE_EVENT"]
    count, memory, cache = number("COUNT"), number("MEMORY"), number("CACHE")
    return Event(
        at,
        entry.get("SOCKWAKE_INSTANCE", ""),
        kind,
        boot,
        client=entry.get("SOCKWAKE_CLIENT", ""),
        took=number("TOOK"),
        phases=_phases(entry.get("SOCKWAKE_PHASES", "")),
        count=int(count) if count is not None else 0 if kind == REFUSAL else 1,
        why=entry.get("SOCKWAKE_WHY", ""),
        awake=number("AWAKE"),
        is_stopped=entry.get("SOCKWAKE_STOPPED") == "yes",
        memory=None if memory is None else int(memory),
        cache=None if cache is None else int(cache),
    )


def _phases(text: str) -> dict[str, float]:
    """Seconds of "python 8, engine 200", whose numbers are ms."""
    pairs = (each.rpartition(" ") for each in text.split(", "))
    return {name: int(ms) / 1000 for name, _, ms in pairs if name and ms.isdigit()}


def _of_text(text: str, at: float, name: str, boot: str) -> Event | None:
    """An event that has only its text; None for any other text."""
    if match := _REFUSED.fullmatch(text):
        inner = _PREFIX.fullmatch(match[2])
        why = inner[1] if inner else match[2]
        return Event(at, name, REFUSAL, boot, count=int(match[1]), why=why)
    if match := _WOKEN.fullmatch(text):
        phases = _phases(match[3] or "")
        took = int(match[2]) / 1000
        return Event(at, name, WAKE, boot, client=match[1], took=took, phases=phases)
    if text == "sockwake: asleep":
        return Event(at, name, SLEEP, boot)
    if match := _TURNED_AWAY.match(text):
        count = int(match[1]) if match[2] else 1
        return Event(at, name, STRANGERS, boot, client=match[2] or match[1], count=count)
    if match := _SILENT.fullmatch(text):
        return Event(at, name, STRANGERS, boot, client=match[2], count=int(match[1] or 1))
    if match := _ERROR.fullmatch(text):
        return Event(at, name, FAILURE, boot, why=match[1].partition("\n")[0])
    return None
