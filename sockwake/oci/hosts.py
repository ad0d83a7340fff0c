"""The names that a container has for itself and for others: /etc/hosts and its like."""

from __future__ import annotations

from typing import Any

from sockwake.oci.command import Service, plain


def etc_files(service: Service, name: str) -> dict[str, str]:
    """The files to write into FOLDER of a bundle: hosts, hostname, resolv.conf, and their texts.

    On the host's network the container has the host's own.
    """
    own: dict[str, Any] = plain(dict(service))
    own_name = hostname(own, name)
    made = {"hostname": f"{own_name}\n"} if own_name else {}
    if own["network_mode"] == "host":
        return made
    pairs = [str(each).replace("=", ":", 1).partition(":") for each in own.get("extra_hosts") or ()]
    local = ("127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost ip6-loopback")
    made["hosts"] = "".join(
        f"{line}\n" for line in (*local, *(f"{address}\t{host}" for host, _, address in pairs))
    )
    keys = {"dns": "nameserver {}", "dns_search": "search {}", "dns_opt": "options {}"}
    made["resolv.conf"] = "".join(
        line.format(each) + "\n" for key, line in keys.items() for each in own.get(key) or ()
    )
    return made


def hostname(service: Service, name: str) -> str:
    """Its own host name; "" for the host's."""
    said = str(service.get("hostname") or "")
    return said or ("" if service["network_mode"] == "host" else name)
