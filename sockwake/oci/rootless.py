"""The configuration of a container that a user runs that is not root, in a user namespace.

The image's files stay root's: in there they are no user's, and can be read.
"""

from __future__ import annotations

import pwd
from typing import Any

from sockwake.errors import SockwakeError

# of a network namespace, but takes only groups that are in the user namespace
_FOR_ROOT = ("net.ipv4.ping_group_range",)


def rootless(made: dict[str, Any], uid: int, gid: int) -> dict[str, Any]:
    """A configuration as root's, for the user of these numbers, which is root in the container.

    The other users in it are the subordinate ids of /etc/subuid and /etc/subgid. Raises
    SockwakeError when the user has none.
    """
    linux = made["linux"]
    return made | {
        "linux": linux
        | {
            "namespaces": [*linux["namespaces"], {"type": "user"}],
            "uidMappings": mappings(uid, uid, "/etc/subuid"),
            "gidMappings": mappings(uid, gid, "/etc/subgid"),
            "sysctl": {
                key: value for key, value in linux["sysctl"].items() if key not in _FOR_ROOT
            },
        }
    }


def mappings(uid: int, own: int, path: str) -> list[dict[str, int]]:
    """How ids in the container are ids of the host: 0 is the user's own, the rest subordinate.

    As podman maps them, so that data may move between the two.
    """
    names = {str(uid)}
    try:
        names.add(pwd.getpwuid(uid).pw_name)
    except KeyError:
        pass
    made = [{"containerID": 0, "hostID": own, "size": 1}]
    following = 1
    for name, start, count in _lines(path):
        if name in names:
            made.append({"containerID": following, "hostID": start, "size": count})
            following += count
    if following == 1:
        raise SockwakeError(
            f"{path} gives the user {uid} no ids for the other users of a container",
            "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER, as root",
        )
    return made


def _lines(path: str) -> list[tuple[str, int, int]]:
    try:
        with open(path, encoding="utf-8") as file:
            fields = [line.strip().split(":") for line in file]
    except FileNotFoundError:
        return []
    return [
        (each[0], int(each[1]), int(each[2]))
        for each in fields
        if len(each) == 3 and each[1].isdecimal() and each[2].isdecimal()
    ]
