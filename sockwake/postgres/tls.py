"""The certificate and key of an instance: made, checked, and put where its server reads them.

/etc/sockwake/NAME has them; each wake copies them into the cluster, where PostgreSQL looks by default and
where the key can belong to the container's user. To renew them, replace the files in /etc.
"""

import os
import socket
import stat
from collections.abc import Sequence
from datetime import UTC, datetime

from sockwake.config.instance import Instance
from sockwake.config.settings import Settings
from sockwake.errors import USAGE, SockwakeError, reason
from sockwake.system import files, process, safe_path

_DAYS = 3650


def self_signed(listen: Sequence[str]) -> tuple[str, str]:
    """(certificate, key) as PEM for this host's names, the loopback and the addresses listened on. ECDSA P-256."""
    names = dict.fromkeys(("localhost", socket.gethostname(), socket.getfqdn()))
    addresses = dict.fromkeys(
        (
            "127.0.0.1",
            "::1",
            *(item for item in listen if item[0] != "/" and item not in ("0.0.0.0", "::")),
        )
    )
    alternatives = ",".join(
        [*(f"DNS:{name}" for name in names), *(f"IP:{address}" for address in addresses)]
    )
    both = process.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-noenc",
            "-days",
            str(_DAYS),
            "-subj",
            f"/CN={socket.gethostname()}",
            "-addext",
            f"subjectAltName={alternatives}",
            "-keyout",
            "/dev/stdout",
            "-out",
            "/dev/stdout",
        ]
    )
    begin = both.index("-----BEGIN CERTIFICATE-----")
    return both[begin:], both[:begin]


def read_pair(certificate: str, key: str) -> tuple[str, str]:
    """The contents of two PEM files; raises SockwakeError (usage) when they do not belong together."""
    pair = _pem(certificate), _pem(key)
    if os.stat(key).st_mode & stat.S_IROTH:
        raise SockwakeError(f"{key} is no secret: everybody may read it", f"chmod 600 {key}", USAGE)
    public = [
        _public_key(["openssl", "x509", "-in", certificate, "-noout", "-pubkey"], certificate),
        _public_key(["openssl", "pkey", "-in", key, "-pubout", "-passin", "pass:"], key),
    ]
    if public[0] != public[1]:
        raise SockwakeError(f"{key} is not the key of the certificate {certificate}", status=USAGE)
    return pair


def expiry(certificate: str) -> str | None:
    """When the certificate in a PEM file expires, as 2036-11-18 12:00:00Z; None when it cannot be read."""
    asked = ["openssl", "x509", "-in", certificate, "-noout", "-enddate", "-dateopt", "iso_8601"]
    return process.run(asked, check=False).strip().partition("=")[2] or None


def has_expired(certificate: str) -> bool:
    """Whether clients that verify the certificate in a PEM file take it for too old."""
    return _is_past(expiry(certificate))


def _is_past(until: str | None) -> bool:
    return until is not None and datetime.fromisoformat(until) < datetime.now(UTC)


def validity(certificate: str) -> str:
    """The same for people."""
    until = expiry(certificate)
    return f"{'EXPIRED on' if _is_past(until) else 'valid until'} {until or '(it cannot be read)'}"


def make_missing(instance: Instance, settings: Settings) -> None:
    """Give an instance that came in an image its own key."""
    if settings.tls and not os.path.exists(instance.tls_key):
        certificate, key = self_signed(settings.listen)
        files.replace(instance.tls_certificate, 0o644, certificate)
        files.replace(instance.tls_key, 0o600, key)


def place(instance: Instance, settings: Settings) -> None:
    """Copy certificate and key into the cluster, if the instance has them and they are not the same already."""
    below = settings.cluster.removeprefix(settings.data).split("/")[1:]
    try:
        cluster = safe_path.open_directory(settings.data, *below)
        try:
            _place(instance, f"/proc/self/fd/{cluster}")
        finally:
            os.close(cluster)
    except OSError as error:
        raise SockwakeError(
            f"cannot put certificate and key into {settings.cluster}: {reason(error)}"
        ) from None


def _place(instance: Instance, cluster: str) -> None:
    owner = os.lstat(f"{cluster}/PG_VERSION").st_uid
    for source in (instance.tls_key, instance.tls_certificate):
        if os.path.exists(source):
            with open(source, encoding="ascii") as file:
                _put(f"{cluster}/{os.path.basename(source)}", file.read(), owner)


def _put(path: str, text: str, owner: int) -> None:
    """Have a file with this text in the cluster, which is its server's: nothing in there is followed."""
    try:
        if files.read_plain(path, len(text) + 1) == text:
            return
    except OSError:
        pass
    files.replace(path, 0o600, text, owner)


def _pem(path: str) -> str:
    with open(path, "rb") as file:
        content = file.read()
    if b"-----BEGIN " not in content or not content.isascii():
        raise SockwakeError(f"{path} is not a PEM file", status=USAGE)
    return content.decode()


def _public_key(command: list[str], path: str) -> str:
    try:
        return process.run(command)
    except process.ProgramError as error:
        raise SockwakeError(
            f"{path} cannot be used for TLS: {error.said}",
            "PEM files without a passphrase are wanted",
            USAGE,
        ) from None
