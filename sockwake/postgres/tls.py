"""The certificate and key of an instance: make, check and place them.

They are in /etc/sockwake/NAME. Each wake copies them into the cluster, where PostgreSQL reads them
by default and where the key can belong to the container's user. To renew them, replace the files
in /etc.
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
ENCRYPTED = "require"  # the sslmode of libpq that verifies nothing


def self_signed(listen: Sequence[str]) -> tuple[str, str]:
    """Make (certificate, key) as PEM, ECDSA P-256, for this host's names.

    listen: addresses of the instance, for which it is valid too, as for the loopback.
    """
    own = [item for item in listen if item[0] != "/" and item not in ("0.0.0.0", "::")]
    names = dict.fromkeys(("localhost", socket.gethostname(), socket.getfqdn()))
    addresses = dict.fromkeys(("127.0.0.1", "::1", *own))
    alternatives = [*(f"DNS:{name}" for name in names), *(f"IP:{each}" for each in addresses)]
    command = f"""
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days {_DAYS}
        -keyout /dev/stdout -out /dev/stdout
    """
    subject = ("-subj", f"/CN={socket.gethostname()}")
    extension = ("-addext", f"subjectAltName={','.join(alternatives)}")
    both = process.run([*command.split(), *subject, *extension])
    begin = both.index("-----BEGIN CERTIFICATE-----")
    return both[begin:], both[:begin]


def read_pair(certificate: str, key: str) -> tuple[str, str]:
    """Read two PEM files; raises SockwakeError (usage) unless they are a certificate and key."""
    pair = _pem(certificate), _pem(key)
    if os.stat(key).st_mode & stat.S_IROTH:
        problem = f"{key} is no secret: every user may read it"
        raise SockwakeError(problem, f"chmod 600 {key}", USAGE)
    public = [
        _public_key(["openssl", "x509", "-in", certificate, "-noout", "-pubkey"], certificate),
        _public_key(["openssl", "pkey", "-in", key, "-pubout", "-passin", "pass:"], key),
    ]
    if public[0] != public[1]:
        raise SockwakeError(f"{key} is not the key of the certificate {certificate}", status=USAGE)
    return pair


def expiry(certificate: str) -> str | None:
    """When a certificate expires, as 2036-11-18 12:00:00Z; None when it cannot be read."""
    asked = ["openssl", "x509", "-in", certificate, "-noout", "-enddate", "-dateopt", "iso_8601"]
    return process.run(asked, check=False).strip().partition("=")[2] or None


def has_expired(certificate: str) -> bool:
    """Whether the certificate in a PEM file has expired."""
    return _is_past(expiry(certificate))


def _is_past(until: str | None) -> bool:
    return until is not None and datetime.fromisoformat(until) < datetime.now(UTC)


def verification(certificate: str, host: str) -> str:
    """How far a client that has this certificate as its sslrootcert can verify a server at host.

    A value of libpq's sslmode: verify-full; verify-ca when the certificate does not name host; and
    ENCRYPTED when another authority has issued it, whose certificate is not in the file. One that
    is not there yet is made for every address of the instance.
    """
    if not os.path.exists(certificate):
        return "verify-full"
    checked = ["openssl", "verify", "-no_check_time", "-CAfile", certificate, certificate]
    try:
        process.run(checked)
    except process.ProgramError:
        return ENCRYPTED
    asked = ["openssl", "x509", "-in", certificate, "-noout", "-checkip", host]
    names_host = "does match" in process.run(asked, check=False)
    return "verify-full" if names_host else "verify-ca"


def validity(certificate: str) -> str:
    """The expiry of a certificate as a phrase: "valid until …" or "EXPIRED on …"."""
    until = expiry(certificate)
    return f"{'EXPIRED on' if _is_past(until) else 'valid until'} {until or '(it cannot be read)'}"


def make_missing(instance: Instance, settings: Settings) -> None:
    """Make certificate and key for an instance that came in a system image without them."""
    if settings.tls and not os.path.exists(instance.tls_key):
        certificate, key = self_signed(settings.listen)
        files.replace(instance.tls_certificate, 0o644, certificate)
        files.replace(instance.tls_key, 0o600, key)


def place(instance: Instance, settings: Settings) -> None:
    """Copy certificate and key into the cluster, unless they are there; raises SockwakeError."""
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
    """Write a file in the cluster unless it has this text already; follows no link in there."""
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
