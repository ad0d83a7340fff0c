"""Certificates: made so that a client can verify them, refused when they do not fit, put where the server looks."""

import contextlib
import json
import os
import shutil
import socket
import ssl
import stat
import threading
from pathlib import Path

import pytest

from env_file import env
from fault import undisturbed
from sockwake.admin import cli
from sockwake.config import settings
from sockwake.config.instance import Instance
from sockwake.errors import FAILED, USAGE, SockwakeError
from sockwake.postgres import tls
from tree import Tree, run

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate and its key, in files."""
    paths = tmp_path / "server.crt", tmp_path / "server.key"
    for path, text in zip(paths, tls.self_signed(["127.0.0.1"])):
        path.write_text(text)
        path.chmod(0o600)
    return paths


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
def test_a_client_that_verifies_everything_is_content(tmp_path: Path, name: str) -> None:
    crt, key = tmp_path / "crt", tmp_path / "key"
    for path, text in zip(
        (crt, key), tls.self_signed(["192.0.2.7", "2001:db8::7", "0.0.0.0", "/run/db"])
    ):
        path.write_text(text)
    assert handshake(crt, key, name) == "TLSv1.3"


def test_under_another_name_it_is_not(pair: tuple[Path, Path]) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="not valid for"):
        handshake(*pair, "192.0.2.8")


def test_a_pair_that_fits_is_taken_as_it_is(pair: tuple[Path, Path]) -> None:
    assert tls.read_pair(*map(str, pair)) == (pair[0].read_text(), pair[1].read_text())


def test_the_chain_behind_a_certificate_is_taken_too(tree: Tree, pair: tuple[Path, Path]) -> None:
    chain = pair[0].read_text() + tls.self_signed(["192.0.2.7"])[0]
    pair[0].write_text(chain)
    tree.new("pg1", "--tls-cert", str(pair[0]), "--tls-key", str(pair[1]))
    assert Path(tree.instance("pg1").tls_certificate).read_text() == chain


def test_how_long_a_certificate_is_valid_is_shown_and_an_expired_one_said_aloud(
    tree: Tree, pair: tuple[Path, Path]
) -> None:
    fresh = tls.expiry(str(pair[0]))
    assert fresh and not tls.has_expired(str(pair[0]))
    tree.new("pg1", "--tls-cert", str(pair[0]), "--tls-key", str(pair[1]))
    assert f"  certificate valid until {fresh}\n" in tree.sockwake("status", "pg1").stdout
    made = run(
        "openssl",
        "req",
        "-x509",
        "-key",
        str(pair[1]),
        "-subj",
        "/CN=old",
        "-out",
        str(pair[0]),
        "-not_before",
        "20200101000000Z",
        "-not_after",
        "20210101000000Z",
    )
    assert made.status == 0, made
    ran = tree.sockwake(
        "new", "pg2", "--version", "18", "--tls-cert", str(pair[0]), "--tls-key", str(pair[1])
    )
    assert ran.status == 0
    assert (
        ran.stderr
        == f"sockwake: warning: {tree.instance('pg2').tls_certificate} has expired: a client that verifies it will not connect\n"
    )
    assert (
        "  certificate EXPIRED on 2021-01-01 00:00:00Z\n" in tree.sockwake("status", "pg2").stdout
    )
    Path(tree.instance("pg2").tls_certificate).write_text("no certificate\n")
    assert (
        json.loads(tree.sockwake("status", "pg2", "--json").stdout)["certificate_expires"] is None
    )


@pytest.mark.parametrize(
    "how", ["another", "missing", "empty", "swapped", "der", "encrypted", "directory", "readable"]
)
def test_a_pair_that_does_not_fit_is_refused_and_nothing_written(
    tree: Tree, pair: tuple[Path, Path], how: str
) -> None:
    crt, key = pair
    message, status = f"{crt} is not a PEM file", USAGE
    if how == "another":
        key.write_text(tls.self_signed([])[1])
        message = f"{key} is not the key of the certificate {crt}"
    elif how == "missing":
        key.unlink()
        message, status = f"cannot use {key}: no such file or directory", FAILED
    elif how == "empty":
        crt.write_text("")
    elif how == "swapped":
        crt, key = key, crt
        message = f"{crt} cannot be used for TLS: "
    elif how == "der":
        assert (
            run("openssl", "x509", "-in", str(crt), "-outform", "DER", "-out", f"{crt}.der").status
            == 0
        )
        os.rename(f"{crt}.der", crt)
    elif how == "encrypted":
        assert (
            run(
                "openssl",
                "pkey",
                "-in",
                str(key),
                "-aes256",
                "-passout",
                "pass:secret",
                "-out",
                f"{key}.aes",
            ).status
            == 0
        )
        os.rename(f"{key}.aes", key)
        message = f"{key} cannot be used for TLS: "
    elif how == "readable":
        key.chmod(0o644)
        message = f"{key} is no secret: every user may read it"
    else:
        crt = crt.parent
        message, status = f"cannot use {crt}: is a directory", FAILED
    before = tree.snapshot()
    ended = undisturbed(
        lambda: cli.main(
            [
                "new",
                "pg1",
                "--version",
                "18",
                "--root",
                str(tree),
                "--tls-cert",
                str(crt),
                "--tls-key",
                str(key),
            ]
        )
    )
    assert (ended.status, ended.stdout) == (status, "")
    assert (
        ended.stderr.startswith(f"sockwake: error: {message}") and "Traceback" not in ended.stderr
    )
    assert tree.added_to(before) == []


def test_a_pair_is_written_with_the_key_for_root_alone(tree: Tree, pair: tuple[Path, Path]) -> None:
    described = tree.new("pg1", "--tls-cert", str(pair[0]), "--tls-key", str(pair[1]))
    instance = tree.instance("pg1")
    assert (described["tls"], settings.load(instance).tls) == (True, True)
    assert {
        path: tree.snapshot()[f"etc/sockwake/pg1/{path}"] for path in ("server.crt", "server.key")
    } == {"server.crt": (0o644, pair[0].read_text()), "server.key": (0o600, pair[1].read_text())}
    assert described["dsn"] == (
        f"postgresql://postgres@127.0.0.1:25432/postgres?sslmode=verify-full&sslrootcert={instance.tls_certificate}"
    )


def test_a_tree_gets_no_key_and_each_of_its_machines_its_own(tree: Tree) -> None:
    tree.new("pg1", "--tls")
    instance = tree.instance("pg1")
    assert not os.path.exists(instance.tls_key) and not os.path.exists(instance.tls_certificate)
    tls.make_missing(instance, settings.load(instance))
    first = Path(instance.tls_key).read_text()
    assert stat.S_IMODE(os.stat(instance.tls_key).st_mode) == 0o600 and "PRIVATE KEY" in first
    tls.make_missing(instance, settings.load(instance))
    assert Path(instance.tls_key).read_text() == first


def test_the_key_is_in_no_dry_run(tree: Tree, pair: tuple[Path, Path]) -> None:
    ran = tree.sockwake(
        "new",
        "pg1",
        "--version",
        "18",
        "--dry-run",
        "--tls-cert",
        str(pair[0]),
        "--tls-key",
        str(pair[1]),
    )
    assert "server.key (0600)\n(secret)\n" in ran.stdout and "PRIVATE KEY" not in ran.stdout


def test_without_tls_no_key_is_made(tree: Tree) -> None:
    instance = tree.write_env("pg1", env())
    tls.make_missing(instance, settings.load(instance))
    assert not os.path.exists(instance.tls_key)


def with_cluster(tree: Tree, pair: tuple[Path, Path]) -> tuple[Instance, Path]:
    """A TLS instance and the directory of its cluster."""
    tree.new("pg1", "--tls-cert", str(pair[0]), "--tls-key", str(pair[1]))
    tree.write_cluster("/var/lib/sockwake/pg1/18/docker", "18")
    return tree.instance("pg1"), tree.path / "var/lib/sockwake/pg1/18/docker"


def test_the_server_gets_copies_for_it_alone_and_new_ones_when_they_change(
    tree: Tree, pair: tuple[Path, Path]
) -> None:
    instance, cluster = with_cluster(tree, pair)
    tls.place(instance, settings.load(instance))
    assert (cluster / "server.key").read_text() == pair[1].read_text()
    assert stat.S_IMODE((cluster / "server.key").stat().st_mode) == 0o600
    before = (cluster / "server.key").stat().st_ino
    tls.place(instance, settings.load(instance))
    assert (cluster / "server.key").stat().st_ino == before, "the same is not written again"
    Path(instance.tls_certificate).write_text("renewed\n")
    tls.place(instance, settings.load(instance))
    assert (cluster / "server.crt").read_text() == "renewed\n"


@pytest.mark.parametrize("name", ["server.key", "server.key.new"])
def test_a_link_planted_in_the_cluster_is_replaced_and_not_followed(
    tree: Tree, pair: tuple[Path, Path], name: str
) -> None:
    instance, cluster = with_cluster(tree, pair)
    victim = tree.path / "victim"
    victim.write_text(pair[1].read_text())
    (cluster / name).symlink_to(victim)
    victim_before = victim.stat()
    tls.place(instance, settings.load(instance))
    assert victim.stat() == victim_before
    assert (
        not (cluster / "server.key").is_symlink()
        and (cluster / "server.key").read_text() == pair[1].read_text()
    )


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
    ended = undisturbed(
        lambda: cli.main(["new", "pg1", "--version", "18", "--root", str(tree), *options])
    )
    assert (ended.status, ended.stdout, ended.stderr) == (
        USAGE,
        "",
        f"sockwake: error: {message}\n(hint: {hint})\n",
    )
    assert tree.added_to(before) == []


def test_empty_paths_are_no_wish_for_no_tls(tree: Tree) -> None:
    """A variable that somebody forgot to set must not make a server without TLS."""
    with pytest.raises(SockwakeError):
        tls.read_pair(__file__, __file__)
    ended = undisturbed(
        lambda: cli.main(
            [
                "new",
                "pg1",
                "--version",
                "18",
                "--root",
                str(tree),
                "--tls-cert",
                "",
                "--tls-key",
                "",
            ]
        )
    )
    assert (ended.status, ended.stderr) == (
        USAGE,
        "sockwake: error: the value of --tls-cert is empty\n",
    )
