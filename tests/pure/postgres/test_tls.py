"""Certificates and keys: made so that clients can verify them, refused when they do not match."""

import contextlib
import json
import shutil
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from fault import Ended, undisturbed
from sockwake.admin import cli
from sockwake.errors import FAILED, USAGE, SockwakeError
from sockwake.postgres import tls
from tree import Tree, run

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")


def new(tree: Tree, *options: str) -> Ended:
    """How `sockwake new pg1` with these options ends."""
    command = ["new", "pg1", "--version", "18", "--root", str(tree), *options]
    return undisturbed(lambda: cli.main(command))


def openssl(*argv: str) -> None:
    ran = run("openssl", *argv)
    assert ran.status == 0, ran


def handshake(crt: Path, key: Path, name: str) -> str | None:
    """A verified TLS handshake with a server of this certificate under this name; its protocol."""
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=crt)
    server.load_cert_chain(crt, key)
    ours, theirs = socket.socketpair()

    def serve() -> None:
        with theirs, contextlib.suppress(ssl.SSLError, OSError):
            server.wrap_socket(theirs, server_side=True).close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with ours, client.wrap_socket(ours, server_hostname=name) as wrapped:
            return wrapped.version()
    finally:
        thread.join()


@pytest.mark.parametrize(
    "name", ["localhost", "127.0.0.1", "::1", "192.0.2.7", "2001:db8::7", socket.gethostname()]
)
def test_a_client_that_verifies_everything_connects(tmp_path: Path, name: str) -> None:
    crt, key = tmp_path / "crt", tmp_path / "key"
    for path, text in zip(
        (crt, key), tls.self_signed(["192.0.2.7", "2001:db8::7", "0.0.0.0", "/run/db"])
    ):
        path.write_text(text)
    assert handshake(crt, key, name) == "TLSv1.3"


def test_under_another_name_verification_fails(pair: tuple[Path, Path]) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="not valid for"):
        handshake(*pair, "192.0.2.8")


def test_a_matching_pair_is_taken_unchanged(pair: tuple[Path, Path]) -> None:
    assert tls.read_pair(*map(str, pair)) == (pair[0].read_text(), pair[1].read_text())


def test_the_chain_behind_a_certificate_is_taken_too(tree: Tree, pair: tuple[Path, Path]) -> None:
    chain = pair[0].read_text() + tls.self_signed(["192.0.2.7"])[0]
    pair[0].write_text(chain)
    tree.new("pg1", "--tls-cert", str(pair[0]), "--tls-key", str(pair[1]))
    assert Path(tree.instance("pg1").tls_certificate).read_text() == chain


def test_the_expiry_of_a_certificate_is_shown_and_an_expired_one_is_warned_of(
    tree: Tree, pair: tuple[Path, Path]
) -> None:
    fresh = tls.expiry(str(pair[0]))
    assert fresh and not tls.has_expired(str(pair[0]))
    tree.new("pg1", "--tls-cert", str(pair[0]), "--tls-key", str(pair[1]))
    assert f"  certificate valid until {fresh}\n" in tree.sockwake("status", "pg1").stdout
    ours = ("-key", str(pair[1]), "-out", str(pair[0]), "-subj", "/CN=old")
    past = ("-not_before", "20200101000000Z", "-not_after", "20210101000000Z")
    openssl("req", "-x509", *ours, *past)
    given = ("--tls-cert", str(pair[0]), "--tls-key", str(pair[1]))
    ran = tree.sockwake("new", "pg2", "--version", "18", *given)
    expired = f"{tree.instance('pg2').tls_certificate} has expired"
    warning = f"sockwake: warning: {expired}: a client that verifies it will not connect\n"
    assert (ran.status, ran.stderr) == (0, warning)
    assert (
        "  certificate EXPIRED on 2021-01-01 00:00:00Z\n" in tree.sockwake("status", "pg2").stdout
    )
    Path(tree.instance("pg2").tls_certificate).write_text("no certificate\n")
    assert (
        json.loads(tree.sockwake("status", "pg2", "--json").stdout)["certificate_expires"] is None
    )


def another_key(crt: Path, key: Path) -> tuple[Path, Path, str]:
    key.write_text(tls.self_signed([])[1])
    return crt, key, f"{key} is not the key of the certificate {crt}"


def missing_key(crt: Path, key: Path) -> tuple[Path, Path, str]:
    key.unlink()
    return crt, key, f"cannot use {key}: no such file or directory"


def empty_certificate(crt: Path, key: Path) -> tuple[Path, Path, str]:
    crt.write_text("")
    return crt, key, f"{crt} is not a PEM file"


def swapped(crt: Path, key: Path) -> tuple[Path, Path, str]:
    return key, crt, f"{key} cannot be used for TLS: "


def der_certificate(crt: Path, key: Path) -> tuple[Path, Path, str]:
    openssl("x509", "-in", str(crt), "-outform", "DER", "-out", f"{crt}.der")
    return Path(f"{crt}.der"), key, f"{crt}.der is not a PEM file"


def encrypted_key(crt: Path, key: Path) -> tuple[Path, Path, str]:
    locked = Path(f"{key}.aes")
    passphrase = ("-aes256", "-passout", "pass:secret")
    openssl("pkey", "-in", str(key), *passphrase, "-out", str(locked))
    locked.chmod(0o600)
    return crt, locked, f"{locked} cannot be used for TLS: "


def directory_as_certificate(crt: Path, key: Path) -> tuple[Path, Path, str]:
    return crt.parent, key, f"cannot use {crt.parent}: is a directory"


def readable_key(crt: Path, key: Path) -> tuple[Path, Path, str]:
    key.chmod(0o644)
    return crt, key, f"{key} is no secret: every user may read it"


@pytest.mark.parametrize(
    ("spoil", "status"),
    [
        (another_key, USAGE),
        (missing_key, FAILED),
        (empty_certificate, USAGE),
        (swapped, USAGE),
        (der_certificate, USAGE),
        (encrypted_key, USAGE),
        (directory_as_certificate, FAILED),
        (readable_key, USAGE),
    ],
)
def test_a_pair_that_does_not_match_is_refused_and_nothing_written(
    tree: Tree,
    pair: tuple[Path, Path],
    spoil: Callable[[Path, Path], tuple[Path, Path, str]],
    status: int,
) -> None:
    crt, key, message = spoil(*pair)
    before = tree.snapshot()
    ended = new(tree, "--tls-cert", str(crt), "--tls-key", str(key))
    assert (ended.status, ended.stdout) == (status, "")
    assert ended.stderr.startswith(f"sockwake: error: {message}")
    assert "Traceback" not in ended.stderr
    assert tree.added_to(before) == []


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        (
            ["--tls-cert", "x"],
            "--tls-cert and --tls-key belong together",
            "--tls alone makes a certificate",
        ),
        (
            ["--tls-key", "x"],
            "--tls-cert and --tls-key belong together",
            "--tls alone makes a certificate",
        ),
        (
            ["--tls", "--network", "host"],
            "TLS needs a network namespace of the container's own",
            "leave out --network host",
        ),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    tree: Tree, options: list[str], message: str, hint: str
) -> None:
    before = tree.snapshot()
    ended = new(tree, *options)
    assert (ended.status, ended.stdout, ended.stderr) == (
        USAGE,
        "",
        f"sockwake: error: {message}\n(hint: {hint})\n",
    )
    assert tree.added_to(before) == []


def test_empty_paths_are_refused_and_do_not_mean_without_tls(tree: Tree) -> None:
    """As by an unset variable of a script."""
    with pytest.raises(SockwakeError):
        tls.read_pair(__file__, __file__)
    ended = new(tree, "--tls-cert", "", "--tls-key", "")
    assert (ended.status, ended.stderr) == (
        USAGE,
        "sockwake: error: the value of --tls-cert is empty\n",
    )
